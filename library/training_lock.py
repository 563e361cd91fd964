"""Ansible module: release the lock of a run that is provably dead."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_lock
short_description: Release an environment's lock if its run is provably dead
description:
  - The lock is the state file of the active run. A launch takes it and the run's end releases it, so there is nothing to
    hold by hand; to keep others from launching, take away their permission to write the state file.
  - C(released) reconciles the run and never just deletes the lock. It proves that the run is dead (EC2 says that its instance is
    terminated, or lists none long after the last heartbeat, or the run has ended without releasing it), terminates
    what still carries the run's tags and waits until EC2 confirms it, archives the state, and deletes the very version
    that it looked at.
  - Fails when the run may be alive, with all that is known about it and the one safe next command. Age alone proves nothing.
  - Writes an event into the environment's audit log, also when it fails.
  - Other things that a dead run left are ended by M(training_cleanup).
options:
  state: {type: str, choices: [released], default: released, description: The lock is free afterwards.}
  run_id: {type: str, description: Release it only if this run holds it.}
extends_documentation_fragment: [training.environment, training.project]
author: Chronos Training
"""

EXAMPLES = r"""
- name: Free the environment of a run whose instance was terminated by hand
  training_lock:
    env: dev
    project: Chronos-Training
    run_id: 20260101-120000
"""

RETURN = r"""
url: {type: str, returned: success, description: Where the lock is stored.}
run_id: {type: str, returned: when the lock was held, description: The dead run.}
reason: {type: str, returned: when the lock was held, description: Why the run is dead.}
status: {type: str, returned: when the lock was released, description: Final status of the run in its archive.}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import ENVIRONMENT, PROJECT
from chronos_training.ansible.module import main
from chronos_training.control.lifecycle.break_stale_lock import released_by, take_over
from chronos_training.control.options.settings import resolve_settings
from chronos_training.control.registry import audit
from chronos_training.core import aws
from chronos_training.core.instances import find_instances
from chronos_training.core.store import open_store

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    **PROJECT,
    "state": {"type": "str", "choices": ["released"], "default": "released"},
    "run_id": {"type": "str"},
}


def run(params: dict[str, Any], *, check_mode: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Release the lock if its run is dead; see RETURN."""
    settings = resolve_settings(params["env"], region=params["region"])
    ec2 = aws.client("ec2", region=settings.region)
    store = open_store(settings.bucket, params["env"], region=settings.region)
    dead = released_by(store, ec2, params["project"], params["run_id"])
    if dead is None:
        say(f"{store.url} is free")
        return {"changed": False, "url": store.url}
    observed, reason = dead
    record = observed.record
    left = [i.instance_id for i in find_instances(ec2, params["project"], params["env"], record.run_id)]
    before = {"run_id": record.run_id, "status": record.status, "owner": record.owner, "instances": left}
    result = {
        "changed": True,
        "url": store.url,
        "run_id": record.run_id,
        "reason": reason,
        "diff": {"before": {**before, "lock": "held"}, "after": {**before, "lock": "released", "instances": []}},
    }
    if check_mode:
        say(f"would release {store.url}: run {record.run_id} is dead ({reason})")
        return result
    s3 = aws.client("s3", region=settings.region)
    log = audit.Log(settings.bucket, params["env"], settings.region, say)
    with audit.recorded(log, audit.TAKEOVER, record.run_id) as entry:
        entry.details = {"instances": left}
        final = take_over(s3, settings.bucket, store, ec2, params["project"], observed, reason, say)
        entry.message = f"Run {record.run_id} was dead ({reason})."
    result["diff"]["after"]["status"] = final.status  # type: ignore[index]
    return {**result, "status": final.status}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
