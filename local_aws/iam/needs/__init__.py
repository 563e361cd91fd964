"""What a request needs to be allowed: its actions, the resources they touch, and the context for conditions.

One module for one service, by the name that requests are signed with (a - is a _, and `lambda_` for lambda), with
`needs_of(call, account)`. Written from the Service Authorization Reference, for the operations that this project's principals use
and those beside them that a test tries: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import keyword
from collections.abc import Callable
from typing import Any

from local_aws.calls import Call
from local_aws.clock import CLOCK
from local_aws.iam.conditions import UnknownElement
from local_aws.iam.policies import Need

# The wire of the embedded AWS is plain http on the loopback, which nobody else can read: it counts as TLS. A request
# with this header counts as sent in the clear; nothing but a test sets it.
IN_THE_CLEAR_HEADER = "x-local-aws-in-the-clear"


def needs_of(call: Call, account: str) -> list[Need]:
    """Return what `call` needs, an empty list for what everybody may. UnknownElement for an operation not known here.

    A service's own function returns None for an operation that it does not know.
    """
    find = _of_service(call.service)
    needs = find(call, account) if find else None
    if needs is None:
        raise UnknownElement(f"the operation {call.service}:{call.action}")
    return needs


@functools.cache
def _of_service(service: str) -> Callable[[Call, str], list[Need] | None] | None:
    name = service.replace("-", "_") + ("_" if keyword.iskeyword(service) else "")
    if not name.isidentifier() or importlib.util.find_spec(f"{__name__}.{name}") is None:
        return None
    module: Any = importlib.import_module(f"{__name__}.{name}")
    return module.needs_of  # type: ignore[no-any-return]


def common_context(call: Call) -> dict[str, str | list[str]]:
    """Return the global condition keys that every request has."""
    now = CLOCK.utcnow()
    clear = "HTTP_X_LOCAL_AWS_IN_THE_CLEAR" in call.environ
    return {
        "aws:securetransport": "false" if clear else "true",
        "aws:sourceip": str(call.environ.get("REMOTE_ADDR", "127.0.0.1")),
        "aws:currenttime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(now.timestamp())),
        "aws:requestedregion": call.region,
        "aws:viaawsservice": "false",
        "aws:principalisawsservice": "false",
        **({} if clear else {"s3:tlsversion": "1.3"}),
    }
