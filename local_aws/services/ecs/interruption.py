"""An interruption of Fargate Spot, by order: `python -m local_aws spot-notice TASK`.

On AWS it comes two minutes before the capacity goes: the event is sent, the containers get SIGTERM, and SIGKILL when
their stopTimeout (30 seconds unless the task definition says more, 120 at most) is over.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
"""

from __future__ import annotations

from local_aws.services.ecs.placement import SPOT
from local_aws.services.ecs.task_run import runs


def interrupt(name: str) -> str:
    """Interrupt a task, given its id or ARN; return why that cannot be, or nothing."""
    run = next((run for run in list(runs.values()) if name in (run.task.id, run.task.task_arn)), None)
    if run is None:
        return f"No task {name} is under way."
    if run.task.capacity_provider_name != SPOT:
        return f"The task {name} is not on {SPOT}: nothing interrupts it."
    run.stop("SpotInterruption", "Your Spot Task was interrupted.")
    return ""
