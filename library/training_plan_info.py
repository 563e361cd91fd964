"""Ansible module: check a launch completely and say what it would do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_plan_info
short_description: Check a training launch and plan it
description:
  - Validates the configuration, checks that dataset and runtime are published and fit, finds the price and the limit.
  - Creates nothing. Everything that is wrong is said at once, with the key, the value and what is allowed.
options:
  heartbeat_seconds: {type: float, default: 30, description: Seconds between two heartbeats.}
  log_seconds: {type: float, default: 10, description: Seconds between two uploads of the logs.}
  watch_seconds: {type: float, default: 20, description: Seconds between two checks of the watcher.}
  resume_run: {type: str, description: Id of a run with the same configuration to resume from its checkpoints.}
  repeat_run:
    type: str
    description:
      - Id of a run to rerun from its own run spec, instead of C(config) and C(config_file).
      - Same configuration, dataset digest, environment digest and starting weights; refused when one of them is no longer in
        the bucket. The program that trains is the published one.
  probe:
    type: bool
    default: false
    description:
      - Plan a probe instead, which trains nothing and records facts about its machine and image. It needs no dataset, and only
        the agent of the published runtime; C(config) and C(config_file) do not matter.
  git_commit: {type: str, default: unknown, description: Commit that the run is launched from.}
extends_documentation_fragment: [training.environment, training.project, training.launch]
author: Chronos Training
"""

EXAMPLES = r"""
- name: Plan a run
  training_plan_info:
    env: dev
    project: Chronos-Training
    config: birthdays_tiny_cpu
    instance_types: [g4dn.2xlarge, g4dn.xlarge]
    device: cuda
    volume_gb: 100
    image_parameter: /aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id
  register: plan
"""

RETURN = r"""
run_id: {type: str, returned: success, description: Id of the planned run.}
instance_run: {type: dict, returned: success, description: What the user data tells the instance.}
order: {type: dict, returned: success, description: Input of module M(training_run).}
lines: {type: list, elements: str, returned: success, description: The plan as text.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import ENVIRONMENT, LAUNCH, PROJECT
from chronos_training.ansible.module import main
from chronos_training.control.launch.plan import make_plan
from chronos_training.control.launch.plan_text import lines
from chronos_training.control.launch.probe_plan import make_probe_plan
from chronos_training.control.launch.request import LaunchRequest

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    **PROJECT,
    **LAUNCH,
    "heartbeat_seconds": {"type": "float", "default": 30},
    "log_seconds": {"type": "float", "default": 10},
    "watch_seconds": {"type": "float", "default": 20},
    "resume_run": {"type": "str"},
    "repeat_run": {"type": "str"},
    "probe": {"type": "bool", "default": False},
    "git_commit": {"type": "str", "default": "unknown"},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Return the plan; see RETURN."""
    plan = (make_probe_plan if params["probe"] else make_plan)(LaunchRequest.from_params(params))
    said = lines(plan)
    for line in said:
        emit(line)
    return {
        "changed": False,
        "run_id": plan.run_id,
        "instance_run": plan.instance_run(),
        "order": plan.order(),
        "lines": said,
    }


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
