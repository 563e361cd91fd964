"""Trying again while S3 or the network fails: an outage of two minutes in any step fails no run."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from boto3.exceptions import RetriesExceededError
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError, IncompleteReadError, NoCredentialsError

from chronos_training.core import aws
from chronos_training.core.cas import Unresolved
from chronos_training.core.errors import Unreachable

log = logging.getLogger(__name__)
T = TypeVar("T")

# Dead connections are noticed in seconds here; the long breath is `RetryPolicy`'s, which says what it waits for.
CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=20, max_pool_connections=32
)
OUTAGE_SECONDS = 240.0
PAUSE_MAX_SECONDS = 10.0


class RetryPolicy:
    """Calls an action until it works, as long as its failures are passing ones and no outage exceeds `seconds`.

    `check` is called before each new attempt and may raise to end the waiting. Work that takes long calls
    `working` when it gets ahead: the next failure then begins a new outage.
    """

    def __init__(
        self,
        seconds: float = OUTAGE_SECONDS,
        check: Callable[[], None] = lambda: None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`sleep` and `clock` are the time's; tests have their own."""
        self._seconds, self._check, self._sleep, self._clock = seconds, check, sleep, clock
        self._failing_since: float | None = None

    def working(self) -> None:
        """Note that the network works."""
        self._failing_since = None

    def __call__(self, action: Callable[[], T]) -> T:
        """Return what `action` returns in the end. Raises its error when it is no passing one or the time is over."""
        self.working()
        pause = 1.0
        while True:
            try:
                return action()
            except Exception as error:
                now = self._clock()
                if self._failing_since is None:
                    self._failing_since, pause = now, 1.0
                if not is_passing(error) or now + pause - self._failing_since > self._seconds:
                    raise
                log.warning("%s Trying again.", error)
            self._sleep(pause * (0.5 + random.random()))
            pause = min(PAUSE_MAX_SECONDS, pause * 2)
            self._check()


def is_passing(error: BaseException) -> bool:
    """Return whether the same call may work later: no answer, throttling, a fault of AWS, credentials not there yet."""
    return _is_passing(error) or (error.__cause__ is not None and is_passing(error.__cause__))


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, (Unreachable, Unresolved, IncompleteReadError, RetriesExceededError)):
        return True
    # The role's credentials come from the metadata service, which may be away for a while.
    if isinstance(error, (NoCredentialsError, CredentialRetrievalError)):
        return True
    if isinstance(error, RuntimeError) and "still expired" in str(error):  # how botocore says it for a role's
        return True
    return aws.error_code(error) in {"ExpiredToken", "RequestTimeout"}
