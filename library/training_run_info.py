"""Ansible module: show a run, or follow it until it ends."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_run_info
short_description: Show a training run, or follow it until it ends
description:
  - Reads the state file, and asks EC2 about the instance when the run is silent; needs no more than read rights and
    changes nothing.
  - When S3 does not answer it says so and retries; that says nothing about the run.
  - A run whose instance was terminated before it could end counts as lost; its lock is left untouched.
  - Fails with the reason when the run ended without success. How it ended is also the exit code of the playbook;
    see C(exit_code).
options:
  run_id: {type: str, description: "Run to show; default is the active run, else the newest."}
  interval: {type: float, default: 30, description: Seconds between two checks.}
  follow:
    type: str
    choices: [state, logs, none]
    default: state
    description:
      - C(state) shows the state until the run has ended; C(logs) also streams its logs (bootstrap, pipeline, training) as
        they grow, which the policy of those who only watch does not allow; C(none) looks once.
extends_documentation_fragment: [training.environment, training.project]
author: Chronos Training
"""

EXAMPLES = r"""
- name: Look once
  training_run_info:
    env: dev
    project: Chronos-Training
    follow: none
"""

RETURN = r"""
run:
  type: dict
  returned: when its state was read
  description:
    - The state; C(final) tells whether the run has ended.
    - Of an active run looked at once also C(url), C(owner), C(heartbeat_age_seconds), C(stale), C(instance_state) as EC2
      says it (C(unseen) when it cannot be asked), and C(next_step), the one safe next command.
run_id: {type: str, returned: when its state was read, description: Id of the run.}
exit_code:
  type: int
  returned: when the run ended, or could not be seen
  description: 0 completed, 10 failed, 11 timed_out, 12 killed, 13 interrupted, 14 lost; 20 its state could not be read.
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import ENVIRONMENT, PROJECT
from chronos_training.ansible.module import main
from chronos_training.control.lifecycle.monitor import Monitor, closing_lines
from chronos_training.control.lifecycle.outcome import EXIT_CODES, RunEnded
from chronos_training.control.options.settings import resolve_settings
from chronos_training.core.states import COMPLETED

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    **PROJECT,
    "run_id": {"type": "str"},
    "interval": {"type": "float", "default": 30},
    "follow": {"type": "str", "choices": ["state", "logs", "none"], "default": "state"},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Show or follow the run; see RETURN."""
    env = params["env"]
    settings = resolve_settings(env, region=params["region"])
    state = Monitor(env, params["project"], settings.region, settings.bucket, emit).follow(
        run_id=params["run_id"] or None,
        interval=params["interval"],
        once=params["follow"] == "none",
        logs=params["follow"] == "logs",
    )
    result = {"changed": False, "run": state, "run_id": state["run_id"]}
    if state["final"]:
        for line in closing_lines(state, settings.bucket, env):
            emit(line)
        if state["status"] != COMPLETED:
            raise RunEnded(state)
        result["exit_code"] = EXIT_CODES[COMPLETED]
    return result


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
