"""The program of the image `batch`: a function where Lambda runs it, else the command `volatility`."""

from __future__ import annotations

import os
import sys

from chronos_volatility.cli import program

STEP = "VOLATILITY_STEP"
"""Names the function; one image has all of them."""


def main() -> None:
    """Serve Lambda, or run the command line."""
    if "AWS_LAMBDA_RUNTIME_API" not in os.environ:
        sys.argv[0] = "volatility"
        program()
    from awslambdaric.__main__ import main as serve

    serve(["awslambdaric", f"chronos_volatility.service.lambdas.{os.environ[STEP]}"])


if __name__ == "__main__":
    main()
