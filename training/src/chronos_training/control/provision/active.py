"""Is a run active? Teardown must not pull the network from under it."""

from __future__ import annotations

from chronos_training.control.provision.names import Names
from chronos_training.control.provision.survey import Survey
from chronos_training.core import layout
from chronos_training.core.commands import playbook


def active_run(seen: Survey, names: Names) -> str:
    """Return a sentence that names what is active and the next thing to do, or an empty string."""
    reasons = []
    if seen.has_state:
        reasons.append(f"its state file s3://{names.bucket}/{layout.state_key(names.env)} exists")
    if seen.instances:
        listed = ", ".join(
            f"{i.instance_id} ({i.state}{', run ' + i.run_id if i.run_id else ''})" for i in seen.instances
        )
        reasons.append(f"these instances exist: {listed}")
    if not reasons:
        return ""
    return (
        f"A training run is active in environment {names.env}: {' and '.join(reasons)}. Nothing was removed. "
        f"Wait for the run to end, or end it: {playbook(names.env, 'kill_training')}"
    )
