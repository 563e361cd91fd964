"""The rules that botocore's models lack. Each has the document that it comes from.

One module for one service, by botocore's name of it (a - is a _, and `lambda_` for lambda), with `refusals(action, given)`,
which yields what an operation's parameters break.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import keyword
from collections.abc import Callable, Iterator
from typing import Any

from local_aws.strict.rules import Parameters, Refusal


def refusals(service: str, action: str, given: Parameters) -> Iterator[Refusal]:
    """Yield what the parameters of an operation break."""
    rule = _of_service(service)
    if rule is not None:
        yield from rule(action, given)


@functools.cache
def _of_service(service: str) -> Callable[[str, Parameters], Iterator[Refusal]] | None:
    name = service.replace("-", "_") + ("_" if keyword.iskeyword(service) else "")
    if not name.isidentifier() or importlib.util.find_spec(f"{__name__}.{name}") is None:
        return None
    module: Any = importlib.import_module(f"{__name__}.{name}")
    return module.refusals  # type: ignore[no-any-return]
