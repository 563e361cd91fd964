"""Ansible module: show the lock of an environment, or release that of a run that is provably dead."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_lock
short_description: Show an environment's lock, or release it if its run is provably dead
description:
  - The lock is the state file of the active run. A launch takes it and the run's end releases it, so there is nothing to
    hold by hand; to keep others from launching, take away their permission to write the state file.
  - C(shown) says who holds it, since when, what EC2 says of its instances and what to do next; it reads only, and read rights
    suffice.
  - C(released) reconciles the run and never just deletes the lock. It proves that the run is dead (EC2 says that its instance is
    terminated, or lists none long after the last heartbeat, or the run has ended without releasing it), terminates
    what still carries the run's tags and waits until EC2 confirms it, archives the state, and deletes the very version
    that it looked at.
  - C(released) fails when the run may be alive, with all that is known about it and the one safe next command. Age alone proves nothing.
  - A release writes an event into the environment's audit log, also when it fails.
  - Other things that a dead run left are ended by M(training_cleanup).
options:
  state:
    type: str
    choices: [shown, released]
    default: released
    description: C(shown) only looks; after C(released) the lock is free.
  run_id: {type: str, description: Release it only if this run holds it.}
extends_documentation_fragment: [training.environment, training.project]
author: Chronos Training
"""

EXAMPLES = r"""
- name: Show who holds the lock
  training_lock:
    state: shown
    env: dev
    project: Chronos-Training

- name: Free the environment of a run whose instance was terminated by hand
  training_lock:
    env: dev
    project: Chronos-Training
    run_id: 20260101-120000
"""

RETURN = r"""
url: {type: str, returned: success, description: Where the lock is stored.}
held: {type: bool, returned: success, description: Whether a run held the lock when it was looked at.}
run_id: {type: str, returned: when the lock was held, description: The run that held it.}
status: {type: str, returned: when the lock was held, description: Status of the run; after a release the final one of its archive.}
reason: {type: str, returned: when the lock was held, description: Why the run is dead; with C(shown) empty when it may live.}
owner: {type: str, returned: state=shown and held, description: Who launched the run.}
since: {type: str, returned: state=shown and held, description: When it took the lock.}
doing: {type: str, returned: state=shown and held, description: Its step and its last heartbeat.}
heartbeat_age_seconds: {type: float, returned: state=shown and held, description: Seconds since its last heartbeat.}
stale: {type: bool, returned: state=shown and held, description: "Whether it has been silent for five minutes, which proves nothing."}
instance: {type: str, returned: state=shown and held, description: What EC2 says of its instances.}
instance_state:
  type: str
  returned: state=shown and held
  description: The state of its instance as EC2 says it, C(unseen) when it cannot be asked; none when it has no instance yet.
next_step: {type: str, returned: state=shown and held, description: The one safe next command.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import ENVIRONMENT, PROJECT
from chronos_training.ansible.module import main
from chronos_training.control.lifecycle.break_stale_lock import break_stale_lock, find_stale_lock
from chronos_training.control.lifecycle.show_lock import lock_status
from chronos_training.control.options.settings import Settings, resolve_settings
from chronos_training.control.registry import audit
from chronos_training.core import aws
from chronos_training.core.instances import find_instances
from chronos_training.core.store import StateStore, open_store

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    **PROJECT,
    "state": {"type": "str", "choices": ["shown", "released"], "default": "released"},
    "run_id": {"type": "str"},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Show the lock, or release it if its run is dead; see RETURN."""
    settings = resolve_settings(params["env"], region=params["region"])
    ec2 = aws.client("ec2", region=settings.region)
    store = open_store(settings.bucket, params["env"], region=settings.region)
    if params["state"] == "shown":
        return _show(store, ec2, params["project"], emit)
    return _release(params, settings, store, ec2, check_mode=check_mode, emit=emit)


def _show(store: StateStore, ec2: Any, project: str, emit: Callable[[str], None]) -> dict[str, Any]:
    observed = store.read()
    if observed is None:
        return _free(store, emit)
    status = lock_status(observed, ec2, project)
    for line in status.lines(store.url):
        emit(line)
    return {"changed": False, "url": store.url, "held": True, **asdict(status), "reason": status.reason or ""}


def _release(
    params: dict[str, Any],
    settings: Settings,
    store: StateStore,
    ec2: Any,
    *,
    check_mode: bool,
    emit: Callable[[str], None],
) -> dict[str, Any]:
    dead = find_stale_lock(store, ec2, params["project"], params["run_id"])
    if dead is None:
        return _free(store, emit)
    observed, reason = dead
    lines = lock_status(observed, ec2, params["project"]).lines(store.url)
    for line in lines[:-1]:  # the last is the next step, which is done here
        emit(line)
    record = observed.record
    left = [i.instance_id for i in find_instances(ec2, params["project"], params["env"], record.run_id)]
    before = {"run_id": record.run_id, "status": record.status, "owner": record.owner, "instances": left}
    result = {
        "changed": True,
        "url": store.url,
        "held": True,
        "run_id": record.run_id,
        "status": record.status,
        "reason": reason,
        "diff": {"before": {**before, "lock": "held"}, "after": {**before, "lock": "released", "instances": []}},
    }
    if check_mode:
        emit(f"would release {store.url}: run {record.run_id} is dead ({reason})")
        return result
    s3 = aws.client("s3", region=settings.region)
    log = audit.Log(settings.bucket, params["env"], settings.region, emit)
    with audit.recorded(log, audit.TAKEOVER, record.run_id) as entry:
        entry.details = {"instances": left}
        final = break_stale_lock(s3, settings.bucket, store, ec2, params["project"], observed, reason, emit)
        entry.message = f"Run {record.run_id} was dead ({reason})."
    result["diff"]["after"]["status"] = final.status  # type: ignore[index]
    return {**result, "status": final.status}


def _free(store: StateStore, emit: Callable[[str], None]) -> dict[str, Any]:
    emit(f"{store.url} is free: no run holds it")
    return {"changed": False, "url": store.url, "held": False}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
