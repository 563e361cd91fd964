"""What one check found, and how a person reads it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from enum import Enum

from chronos_training.core.errors import TrainingError, Unreachable

WIDTH = 98  # what a line may have beside the two spaces that every task's lines begin with


class Kind(Enum):
    """What a result means; the value is the word that a person reads."""

    OK = "ok"
    STOP = "STOP"  # a launch would not start, or not end well
    NOTE = "note"  # worth knowing; a launch still works
    UNSEEN = "not seen"  # for want of a right, or of an answer
    LATER = "later"  # comes with a step that is not done yet


@dataclass(frozen=True)
class CheckResult:
    """What was looked at, in a word or two, and what was seen or is to be done, in a sentence."""

    name: str
    kind: Kind
    text: str


def ok(name: str, text: str) -> CheckResult:
    """Return what is as it should be."""
    return CheckResult(name, Kind.OK, text)


def stop(name: str, text: str) -> CheckResult:
    """Return what would stop a launch; `text` says what to do about it."""
    return CheckResult(name, Kind.STOP, text)


def note(name: str, text: str) -> CheckResult:
    """Return what a person should know."""
    return CheckResult(name, Kind.NOTE, text)


def later(name: str, text: str) -> CheckResult:
    """Return what can be looked at only after another step."""
    return CheckResult(name, Kind.LATER, text)


def unseen(name: str, error: TrainingError) -> CheckResult:
    """Return what could not be looked at, and why."""
    return CheckResult(name, Kind.UNSEEN, lower(str(error)))


def refused(name: str, error: TrainingError) -> CheckResult:
    """Return the result of something that a launch does as well, and that failed; AWS not answering proves nothing."""
    return unseen(name, error) if isinstance(error, Unreachable) else stop(name, str(error))


def lines(results: list[CheckResult]) -> list[str]:
    """Return the results as aligned lines; what does not fit continues below."""
    names, words = (
        max(map(len, column)) for column in zip(*((one.name, one.kind.value) for one in results), strict=True)
    )
    shown = []
    for one in results:
        head = f"{one.kind.value:<{words}}  {one.name:<{names}}  "
        shown += textwrap.wrap(
            one.text,
            WIDTH,
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return shown


def lower(text: str) -> str:
    """Return a sentence as it continues after a name."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]  # IAM stays IAM
