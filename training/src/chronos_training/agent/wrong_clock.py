"""An instance whose clock is wrong still works: the time is taken from S3's answer, for signatures and for records.

S3 refuses a request that was signed more than 15 minutes off its own time (RequestTimeTooSkewed), and botocore does not
correct that on its own. Clocks of fresh instances are now and then hours off until the time service has answered.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import botocore.auth
from botocore.auth import SIGV4_TIMESTAMP

from chronos_training.core import aws, clock

log = logging.getLogger(__name__)

# A correction smaller than this cures nothing: the request was refused for another reason.
WORTH_CORRECTING = timedelta(minutes=1)
# Correct once, and once more for a clock that was set in between.
MOST_ATTEMPTS = 3


def correct_when_refused() -> None:
    """Have every client made from now on sign with S3's time once S3 has refused this machine's. Call it once."""
    botocore.auth.get_current_datetime = _now  # type: ignore[attr-defined]  # the stubs lack it
    aws.session().events.register("needs-retry.s3", _correct)  # type: ignore[arg-type]  # it may answer


def _now(remove_tzinfo: bool = True) -> datetime:
    now = clock.utc_now()
    return now.replace(tzinfo=None) if remove_tzinfo else now


def _correct(response: Any = None, request_dict: Any = None, attempts: int = 1, **_: Any) -> float | None:
    """Return 0 (send again at once with a new signature) when this machine's time was the reason, None for other
    handlers.

    What counts is the time in the signature: another thread may have corrected the clock since it was made.
    """
    if response is None or request_dict is None or attempts > MOST_ATTEMPTS:
        return None
    if response[1].get("Error", {}).get("Code") != "RequestTimeTooSkewed":
        return None
    true_time = parsedate_to_datetime(response[0].headers["Date"])
    stamp = str(request_dict.get("context", {}).get("timestamp", ""))
    signed = datetime.strptime(stamp, SIGV4_TIMESTAMP).replace(tzinfo=timezone.utc)
    if abs(true_time - signed) < WORTH_CORRECTING:
        return None
    change = clock.correct(true_time)
    if abs(change) >= WORTH_CORRECTING:
        log.warning("this machine's clock is %.0f s off S3's; using S3's time", change.total_seconds())
    return 0
