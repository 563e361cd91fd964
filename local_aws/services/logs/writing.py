"""What services write into CloudWatch Logs: a function's and a task's lines, an execution's events.

They write with a role's session, as on AWS, and so need its permissions; but no request is made for it, because a
function's answer would wait for that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from local_aws.home import REGION
from local_aws.iam.decisions import decide_and_note
from local_aws.iam.policies import Need
from local_aws.iam.principals import ACCOUNT, principal_of
from local_aws.services.aws import Aws

log = logging.getLogger("local_aws.logs")

_CONTEXT = {"aws:securetransport": "true", "aws:viaawsservice": "false", "aws:principalisawsservice": "false"}


def write(
    aws: Aws,
    group: str,
    stream: str,
    lines: Iterable[str | tuple[float, str]],
    credentials: Mapping[str, str] | None,
    *,
    make_group: bool = True,
    region: str = REGION,
) -> str:
    """Write lines, each with the moment it was written (seconds since the epoch) or as of now; "" or why it cannot be.

    The stream is made when it is not there, the group with `make_group`. `credentials` as iam/service_roles.py returns
    them, None for what AWS delivers by itself. Takes the lock for a moment; nobody may wait for the caller meanwhile.
    """
    now = aws.clock.now()
    written = [(now, line) if isinstance(line, str) else line for line in lines]
    written.sort(key=lambda line: line[0])  # a batch is in order of time
    events = [{"timestamp": int(when * 1000), "message": text} for when, text in written if text]
    with aws.lock:
        aws.open("logs")
        from moto.logs.models import logs_backends

        backend = logs_backends[ACCOUNT][region]
        refused = _refusals(region, group, credentials) if credentials else lambda action, stream: ""
        why = ""
        if group not in backend.groups:
            if not make_group:
                return f"The log group {group} does not exist."
            why = refused("CreateLogGroup", "")
            if not why:
                backend.create_log_group(group, {})
        if not why and stream not in backend.groups[group].streams:
            why = refused("CreateLogStream", stream)
            if not why:
                backend.create_log_stream(group, stream)
        why = why or refused("PutLogEvents", stream)
        if not why:
            backend.groups[group].put_log_events(stream, events)
    if why:
        log.warning("a log is lost: %s", why)
    return why


def _refusals(region: str, group: str, credentials: Mapping[str, str]) -> Callable[[str, str], str]:
    """Return what says why an action on a stream of the group is refused, "" when it is allowed."""
    caller = principal_of(credentials["AccessKeyId"], credentials.get("SessionToken"))
    context = {**_CONTEXT, "aws:requestedregion": region, **caller.context}

    def refused(action: str, stream: str) -> str:
        resource = f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{group}:log-stream:{stream}"
        decision = decide_and_note(Need(f"logs:{action}", resource, context), caller)
        return "" if decision.allowed else f"{caller.arn} may not logs:{action} on {resource} {decision.why}"

    return refused
