"""Times that a Choice compares, as RFC 3339 has them: with fractions of a second, and with Z or an offset.

moto 5.2.5 reads whole seconds with Z alone. The context object's times have milliseconds, so every comparison with
`$$.State.EnteredTime` was false.
https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
"""

from __future__ import annotations

import re
from datetime import datetime

from moto.stepfunctions.parser.asl.component.state.choice.comparison.operator.implementations.is_operator import (
    IsTimestamp,
)

from local_aws.services.patching import replace

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def install() -> None:
    """Let moto do this."""
    replace(IsTimestamp, string_to_timestamp=staticmethod(_timestamp))


def _timestamp(text: object) -> datetime | None:
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
