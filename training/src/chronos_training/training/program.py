"""How a program that trains ends: with its own exit code."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable
from typing import NoReturn


def run_program(main: Callable[[], int]) -> NoReturn:
    """Run `main` and end this process with the exit code that it returns.

    What libraries want done at the end is done: it ends their child processes. But they are not taken down: torch,
    interrupted in a fit by AutoGluon, was seen to abort there (signal 6) when everything was stored.
    """
    codes: list[int] = []
    atexit.register(_leave, codes)  # registered before the libraries are loaded, so it is called after theirs
    codes.append(main())
    sys.exit(codes[0])


def _leave(codes: list[int]) -> None:
    if not codes:
        return  # an exception, or words that argparse refused
    logging.shutdown()
    code = codes[0]
    try:
        if sys.stdout is not None:  # None when the caller has closed it
            sys.stdout.flush()
    except BrokenPipeError:
        pass  # `| head` has seen enough
    except OSError as error:
        print(f"ERROR: The output could not be written: {error.strerror}.", file=sys.stderr)
        code = code or 1
    os._exit(code)
