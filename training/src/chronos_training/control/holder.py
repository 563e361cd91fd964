"""Who holds an environment, said completely: run, owner, step, age, the instance's real state, the safe next command."""

from __future__ import annotations

from typing import Any

from chronos_training.core.clock import duration, parse_iso, utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import find_instances
from chronos_training.core.store import STALE_SECONDS, Observed


def describe(observed: Observed) -> str:
    """Return one line on what the run is doing."""
    record = observed.record
    step = record.current_step or record.status
    since = record.steps.get(step, {}).get("started_at", record.created_at)
    age = duration((utc_now() - parse_iso(since)).total_seconds())
    stale = "STALE, " if observed.age_seconds > STALE_SECONDS else ""
    return f"step {step} for {age}, {stale}last heartbeat {duration(observed.age_seconds)} ago"


def refusal(observed: Observed, url: str, ec2: Any, project: str) -> str:
    """Return the refusal of a second launch."""
    record = observed.record
    return (
        f"Run {record.run_id} is active in {record.env}: {describe(observed)}. "
        f"Owner {record.owner}; {instance_state(record.instance_id, ec2, project, record.env)}. State: {url}. "
        f"Nothing was changed. Watch it: ansible-playbook playbooks/monitor_training.yml. "
        f"End it: ansible-playbook playbooks/kill_training.yml."
    )


def instance_state(instance_id: str | None, ec2: Any, project: str, env: str) -> str:
    """Return what EC2 says about the run's instance, as words."""
    if instance_id is None:
        return "no instance yet"
    try:
        states = {i.instance_id: i.state for i in find_instances(ec2, project, env, live=False)}
    except TrainingError as error:
        return f"instance {instance_id}, state not visible ({error.message})"
    return f"instance {instance_id} is {states.get(instance_id, 'not listed by EC2')}"
