"""Ansible module: launch or kill the run of an environment."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_run
short_description: Launch or kill the training run of an environment
description:
  - C(launched) takes the environment's lock, writes the intent, starts the run's instances and records them in the state.
    It refuses while a run is active, and first reconciles a run that is provably dead.
  - C(launched) starts alongside an instance that EC2 is still terminating, and waits for one whose run has not released its lock.
  - C(killed) asks the run to store its partial results, waits a bounded time, terminates every instance of the
    environment, deletes its termination schedule when EC2 has accepted that, waits until EC2 confirms it (up to 15 minutes), archives
    the state and releases the lock.
  - Both write an event into the environment's audit log, also when they fail.
options:
  state: {type: str, choices: [launched, killed], required: true, description: What to do.}
  order: {type: dict, description: What to launch; the C(order) of M(training_plan_info).}
  tags: {type: dict, description: "Tags of the instance, its volume and its network interface."}
  user_data: {type: str, description: Rendered user data.}
  env: {type: str, description: Environment to kill in.}
  region: {type: str, description: AWS region; default is the one of the AWS environment.}
  project: {type: str, description: Value of the Project tag.}
  grace_seconds: {type: float, default: 180, description: How long a killed run may take to store its partial results.}
  force: {type: bool, default: false, description: "Do not wait for partial results, nor for the operating system."}
author: Chronos Training
"""

EXAMPLES = r"""
- name: Launch the planned run
  training_run:
    state: launched
    order: "{{ plan.order }}"
    tags: "{{ training_tags }}"
    user_data: "{{ instance_user_data_content }}"

- name: Kill at once
  training_run:
    state: killed
    env: dev
    project: Chronos-Training
    force: true
"""

RETURN = r"""
run_id: {type: str, returned: when there was a run, description: Id of the run.}
instance_id: {type: str, returned: state=launched, description: Id of the started instance; for several the head node's.}
members: {type: list, elements: str, returned: state=launched, description: Ids of the run's other instances.}
instances: {type: list, elements: str, returned: state=killed, description: Ids of the terminated instances.}
status: {type: str, returned: always, description: Status of the run.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.module import main
from chronos_training.control.launch import launch as launching
from chronos_training.control.lifecycle import kill as killing
from chronos_training.control.options.settings import resolve_settings
from chronos_training.control.registry import audit
from chronos_training.core.commands import after_launch
from chronos_training.core.errors import TrainingError

ARGUMENT_SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": ["launched", "killed"], "required": True},
    "order": {"type": "dict"},
    "tags": {"type": "dict"},
    "user_data": {"type": "str"},
    "env": {"type": "str"},
    "region": {"type": "str"},
    "project": {"type": "str"},
    "grace_seconds": {"type": "float", "default": 180},
    "force": {"type": "bool", "default": False},
}
REQUIRED = {"launched": ("order", "tags", "user_data"), "killed": ("env", "project")}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Launch or kill; see RETURN."""
    missing = [name for name in REQUIRED[params["state"]] if not params[name]]
    if missing:
        raise TrainingError(f"state={params['state']} needs {', '.join(missing)}.", code="configuration_invalid")
    if params["state"] == "launched":
        return _launch(params, check_mode, emit)
    return _kill(params, check_mode, emit)


def _launch(params: dict[str, Any], check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    order = launching.LaunchSpec.from_params(params["order"], params["tags"], params["user_data"])
    if check_mode:
        launching.preview(order)
        emit("would launch this run; nothing was changed")
        return {"changed": True, "run_id": order.run.run_id, "status": "planned"}
    with audit.recorded(
        audit.Log(order.settings.bucket, order.run.env, order.settings.region, emit), audit.LAUNCH, order.run.run_id
    ) as entry:
        record = launching.launch(order, emit)
        entry.details = {"instances": list(record.instances), "instance_type": record.instance_type}
    emit("next:")
    for line in after_launch(order.run.env):
        emit(f"  {line}")
    started = {"instance_id": record.instance_id, "members": list(record.members)}
    return {"changed": True, "run_id": record.run_id, **started, "status": record.status}


def _kill(params: dict[str, Any], check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    settings = resolve_settings(params["env"], region=params["region"])
    request = killing.KillRequest(
        params["env"], params["project"], settings.region, settings.bucket, params["grace_seconds"], params["force"]
    )
    ended = killing.targets(request) if check_mode else _recorded_kill(request, emit)
    changed = ended.run_id is not None or bool(ended.instances)
    if not changed:
        emit(f"no run is active in {request.env} and no instance exists: nothing to kill")
    elif check_mode:
        emit(f"would end run {ended.run_id or 'none'} and terminate {', '.join(ended.instances) or 'no instance'}")
    return {"changed": changed, "run_id": ended.run_id, "instances": ended.instances, "status": ended.status}


def _recorded_kill(request: killing.KillRequest, emit: Callable[[str], None]) -> killing.Killed:
    with audit.recorded(audit.Log(request.bucket, request.env, request.region, emit), audit.KILL) as entry:
        ended = killing.kill(request, emit)
        entry.run_id, entry.details = ended.run_id, {"instances": ended.instances, "status": ended.status}
        entry.nothing_done = ended.run_id is None and not ended.instances
    return ended


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
