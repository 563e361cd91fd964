"""Takes the outside guards of dead runs away."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chronos_training.core import aws, guard
from chronos_training.core.errors import TrainingError
from chronos_training.core.layout import RUN_ID


def take_away(
    region: str, env: str, run_ids: Iterable[str | None], say: Callable[[str], None] = lambda line: None
) -> None:
    """Delete the schedules of `run_ids`, whose instances are proven to be gone.

    One that cannot be deleted stays, which is said and fails nothing: it can only fire on an instance that is gone, and
    verify_cleanup names it. A lock that stayed because of it would stop everybody.
    """
    for run_id in sorted({run_id for run_id in run_ids if run_id and RUN_ID.match(run_id)}):
        try:
            guard.disarm(aws.client("scheduler", region=region), env, run_id)
        except TrainingError as error:
            say(f"the outside guard of run {run_id} stays until it fires: {error.message}")


def guarded(region: str, env: str) -> list[str]:
    """Return the runs that have a guard. Empty when that cannot be seen: it must not keep a kill from its end."""
    try:
        return [found.run_id for found in guard.list_guards(aws.client("scheduler", region=region), env)]
    except TrainingError:
        return []
