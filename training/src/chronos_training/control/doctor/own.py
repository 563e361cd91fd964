"""What provisioning made, tried out: the bucket's conditional writes, and a termination schedule."""

from __future__ import annotations

import random
from datetime import timedelta

from chronos_training.control.options.settings import Settings
from chronos_training.core import aws, layout, termination_schedule
from chronos_training.core.clock import utc_now
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError
from chronos_training.core.probe import check_conditions
from chronos_training.core.wire import STATE_CONFIG

from .check_result import CheckResult, ok, refused, stop

# Of the form that AWS gives, and nobody's.
NO_INSTANCE = "i-00000000000000000"
# So far away that a schedule which was left behind is found by verify long before it fires, at nothing.
FAR_DAYS = 365


def lock(settings: Settings) -> CheckResult:
    """Try whether the bucket keeps the conditions that the lock rests on."""
    name = "lock"
    s3 = aws.client("s3", region=settings.region, config=STATE_CONFIG)
    try:
        check_conditions(s3, settings.bucket, settings.env, even_amazon=True)
    except TrainingError as error:
        return refused(name, error)
    return ok(name, f"s3://{settings.bucket} honours conditional writes")


def schedule(settings: Settings) -> CheckResult:
    """Make a schedule as a launch does, for an instance that does not exist, and delete it again."""
    name = "schedule"
    if not settings.guard_role_arn or not settings.guard_queue_arn:
        again = playbook(settings.env, "provision_infrastructure")
        return stop(name, f"environment {settings.env} has no termination schedule group yet. Run {again}")
    scheduler = aws.client("scheduler", region=settings.region)
    now = utc_now()
    # A number that no launch gives, so that a run of this very second keeps its own name.
    run_id, number = layout.new_run_id(now), random.randrange(10_000, 100_000)
    try:
        try:
            termination_schedule.create(
                scheduler,
                settings.env,
                run_id,
                NO_INSTANCE,
                now + timedelta(days=FAR_DAYS),
                role_arn=settings.guard_role_arn,
                queue_arn=settings.guard_queue_arn,
                number=number,
                patience_seconds=0.0,
            )
        finally:
            # Also when the answer was lost. What a dead process leaves, verify finds as a schedule of no run.
            termination_schedule.cancel(scheduler, settings.env, run_id, number)
    except TrainingError as error:
        return refused(name, error)
    return ok(name, "the termination schedule can be created and deleted")
