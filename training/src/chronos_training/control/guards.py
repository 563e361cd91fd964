"""Takes the outside guards of dead runs away."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chronos_training.core import aws, guard
from chronos_training.core.errors import TrainingError
from chronos_training.core.layout import RUN_ID

Guarded = tuple[str | None, int]  # a run, and how many instances it may have had


def take_away(region: str, env: str, runs: Iterable[Guarded], say: Callable[[str], None] = lambda line: None) -> None:
    """Delete the schedules of `runs`, whose instances are proven to be gone.

    One that cannot be deleted stays, which is said and fails nothing: it can only fire on an instance that is gone, and
    verify_cleanup names it. A lock that stayed because of it would stop everybody.
    """
    most: dict[str, int] = {}
    for run_id, instances in runs:
        if run_id and RUN_ID.match(run_id):
            most[run_id] = max(instances, most.get(run_id, 1))
    for run_id, instances in sorted(most.items()):
        try:
            for number in range(instances):
                guard.disarm(aws.client("scheduler", region=region), env, run_id, number)
        except TrainingError as error:
            say(f"the outside guard of run {run_id} stays until it fires: {error.message}")


def guarded(region: str, env: str) -> list[Guarded]:
    """Return the runs that have a guard. Empty when that cannot be seen: it must not keep a kill from its end."""
    try:
        found = guard.list_guards(aws.client("scheduler", region=region), env)
    except TrainingError:
        return []
    return [(one.run_id, one.number + 1) for one in found]
