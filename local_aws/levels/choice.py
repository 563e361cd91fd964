"""Which level machines are booted at: the one that was asked for, or the next lower one that works here."""

from __future__ import annotations

from dataclasses import dataclass

from local_aws.home import LocalAwsError
from local_aws.levels.base import Level
from local_aws.levels.namespace import Namespace
from local_aws.levels.nspawn import Nspawn
from local_aws.levels.process import Process
from local_aws.levels.qemu import Qemu

# From the most to the least real.
LADDER: tuple[type[Level], ...] = (Qemu, Nspawn, Namespace, Process)
BEST = "best"
DEFAULT = Process.name
NAMES = (*(level.name for level in LADDER), BEST)


@dataclass(frozen=True)
class Choice:
    """A level, and why it is not the one that was asked for (empty when it is)."""

    level: Level
    why: str = ""


def choose(asked: str) -> Choice:
    """Try `asked` (one of NAMES) and what is below it. Raises LocalAwsError for a name that is none."""
    if asked not in NAMES:
        raise LocalAwsError(f"There is no level {asked!r} of the embedded AWS. Choose one of: {', '.join(NAMES)}.")
    ladder = [level() for level in LADDER]
    if asked == BEST:
        ladder = [level for level in ladder if not level.on_demand]
    else:
        ladder = ladder[NAMES.index(asked) :]
    reasons = []
    for level in ladder:
        reason = level.reason_not_to()
        if not reason:
            return Choice(level, "; ".join(reasons))
        reasons.append(f"level {level.name} does not work here: {reason}")
    raise LocalAwsError("; ".join(reasons))


def named(name: str) -> Level:
    """The level of that name, untried."""
    return next(level() for level in LADDER if level.name == name)
