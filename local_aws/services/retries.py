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
    """With one delivery. `began` is when it was due, in seconds since the epoch.

    `phases` are (how many times, seconds between them), where a service says that; else the pauses grow.
    """

    began: float
    retries: int = MOST_RETRIES
    seconds: float = LONGEST_AGE
    phases: tuple[tuple[int, float], ...] = ()
    failures: int = 0
    exhausted: str = ""  # the part of the retry policy that ended it

    def try_again_at(self, now: float) -> float | None:
        """Note a failure. Return when to try again; None when that was the last time."""
        self.failures += 1
        pause = self._pause()
        if self.failures > self.retries:
            self.exhausted = "MaximumRetryAttempts"
        elif now + pause > self.began + self.seconds:
            self.exhausted = "MaximumEventAgeInSeconds"
        else:
            return now + pause
        return None

    def _pause(self) -> float:
        number = self.failures
        for times, pause in self.phases:
            if number <= times:
                return pause
            number -= times
        return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self.failures - 1, 20))


def in_phases(began: float, *phases: tuple[int, float]) -> Patience:
    """Return the patience of so many tries, so far apart, one phase after the other."""
    retries = sum(times for times, _ in phases)
    return Patience(began, retries, sum(times * pause for times, pause in phases) + LONGEST_AGE, phases)


def patience(policy: dict[str, int] | None, began: float) -> Patience:
    """Return what a RetryPolicy (None: AWS's own) grants."""
    given = policy or {}
    return Patience(
        began,
        int(given.get("MaximumRetryAttempts", MOST_RETRIES)),
        float(given.get("MaximumEventAgeInSeconds", LONGEST_AGE)),
    )
