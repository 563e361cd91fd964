"""Delivers things, each in a thread of its own, again and again until its patience is used up; over a crash, too.

What is on its way is kept in moto's state, which a new daemon finds.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from local_aws.services.aws import Aws
from local_aws.services.retries import Patience

log = logging.getLogger("local_aws.services")


class NotDelivered(Exception):
    """The target did not take it. `code` is AWS's; `for_good` when another try is of no use."""

    def __init__(self, code: str, message: str, *, for_good: bool = False) -> None:
        self.code = code
        self.for_good = for_good
        super().__init__(message)


class Parcel(Protocol):
    """What is delivered. It can be pickled."""

    id: str
    what: str  # for people: `python -m local_aws clock`
    patience: Patience


P = TypeVar("P", bound=Parcel)


class Courier(Generic[P]):
    """`send` delivers or raises NotDelivered, and `give_up` is told what could not be delivered: both without the lock.

    `kept` returns the dictionary of moto's state where a parcel is until it has arrived or is given up; then `ended` is told, with
    the lock held.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        send: Callable[[P], None],
        give_up: Callable[[P, NotDelivered], None],
        kept: Callable[[P], dict[str, P]],
        ended: Callable[[P], None] | None = None,
    ) -> None:
        self._aws = aws
        self._send = send
        self._give_up = give_up
        self._kept = kept
        self._ended = ended

    def take(self, parcel: P) -> None:
        """Deliver it from now on. Returns at once. Hold the lock."""
        self._kept(parcel)[parcel.id] = parcel
        self._attempt_at(self._aws.clock.now(), parcel)

    def resume(self, parcels: Iterable[P]) -> None:
        """Go on after a crash: try at once what was on its way."""
        for parcel in list(parcels):
            self._attempt_at(self._aws.clock.now(), parcel)

    def _attempt_at(self, when: float, parcel: P) -> None:
        self._aws.clock.call_at(when, parcel.what, functools.partial(self._attempt, parcel))

    def _attempt(self, parcel: P) -> None:
        try:
            self._send(parcel)
        except NotDelivered as error:
            log.info("%s was not delivered: %s", parcel.what, error)
            again = None if error.for_good else parcel.patience.try_again_at(self._aws.clock.now())
            if again is not None:
                self._attempt_at(again, parcel)
                return
            log.warning("%s is given up: %s", parcel.what, error)
            self._give_up(parcel, error)
        except Exception as error:
            log.exception("%s is given up", parcel.what)
            self._give_up(parcel, NotDelivered("INTERNAL_ERROR", str(error)))
        with self._aws.lock:
            self._kept(parcel).pop(parcel.id, None)
            if self._ended is not None:
                self._ended(parcel)
