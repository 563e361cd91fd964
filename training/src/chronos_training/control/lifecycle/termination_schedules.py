"""Deletes the termination schedules of runs whose instances have ended or are terminating."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chronos_training.core import aws, termination_schedule
from chronos_training.core.aws_types import EC2Client
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import GOING, find_instances
from chronos_training.core.layout import RUN_ID

Scheduled = tuple[str | None, int]  # a run, and how many instances it may have had
Emit = Callable[[str], None]


def cancel_schedules(region: str, env: str, runs: Iterable[Scheduled], emit: Emit = lambda line: None) -> None:
    """Delete the schedules of `runs`, whose instances are proven to be gone or going.

    One that cannot be deleted stays, which is said and fails nothing: it can only fire on an instance that is gone, and
    verify_cleanup names it. A lock that stayed because of it would stop everybody.
    """
    most: dict[str, int] = {}
    for run_id, instances in runs:
        if run_id and RUN_ID.match(run_id):
            most[run_id] = max(instances, most.get(run_id, 1))
    for run_id, instances in sorted(most.items()):
        for number in range(instances):
            _cancel(region, env, run_id, number, emit)


def cancel_schedules_of_ended(ec2: EC2Client, region: str, env: str, project: str, emit: Emit) -> None:
    """Delete every schedule of `env` whose instances EC2 has ended, or has accepted to end: it has nothing left to do.

    To be called as soon as EC2 has accepted a termination. Whoever dies after that leaves an instance that ends without
    a guard; before it, one that still has its guard. Never raises TrainingError: see `cancel_schedules`.
    """
    try:
        schedules = termination_schedule.list_schedules(aws.client("scheduler", region=region), env)
        states = {i.instance_id: i.state for i in find_instances(ec2, project, env, live=False)} if schedules else {}
    except TrainingError as error:
        emit(f"could not list the remaining termination schedules: {error.message}")
        return
    for one in schedules:
        # An instance that EC2 does not list may be one that it does not list yet.
        if RUN_ID.match(one.run_id) and one.instance_ids and all(states.get(i) in GOING for i in one.instance_ids):
            _cancel(region, env, one.run_id, one.number, emit)


def _cancel(region: str, env: str, run_id: str, number: int, emit: Emit) -> None:
    try:
        termination_schedule.cancel(aws.client("scheduler", region=region), env, run_id, number)
    except TrainingError as error:
        emit(f"the termination schedule of run {run_id} stays until it fires: {error.message}")
