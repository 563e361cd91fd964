"""How long a delivery is tried again: by number and by age, with growing pauses, by AWS's clock.

AWS says "exponential backoff and jitter, up to 185 times in 24 hours" and no more; the pauses here make those two meet.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule.html
"""

from __future__ import annotations

from dataclasses import dataclass

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 480.0  # seconds
MOST_RETRIES, LONGEST_AGE = 185, 86400


@dataclass
class Patience:
    """With one delivery. `began` is when it was due, in seconds since the epoch."""

    began: float
    retries: int = MOST_RETRIES
    seconds: float = LONGEST_AGE
    failures: int = 0
    exhausted: str = ""  # the part of the retry policy that ended it

    def try_again_at(self, now: float) -> float | None:
        """Note a failure. Return when to try again; None when that was the last time."""
        self.failures += 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self.failures - 1, 20))
        if self.failures > self.retries:
            self.exhausted = "MaximumRetryAttempts"
        elif now + pause > self.began + self.seconds:
            self.exhausted = "MaximumEventAgeInSeconds"
        else:
            return now + pause
        return None


def patience(policy: dict[str, int] | None, began: float) -> Patience:
    """Return what a RetryPolicy (None: AWS's own) grants."""
    given = policy or {}
    return Patience(
        began,
        int(given.get("MaximumRetryAttempts", MOST_RETRIES)),
        float(given.get("MaximumEventAgeInSeconds", LONGEST_AGE)),
    )
