#!/usr/bin/python
"""Ansible module: look for what would stop a launch on this account."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_account_check
short_description: Find out what would stop a launch on this account
description:
  - Asks AWS, for free and in seconds, about the account, the image, zones, quotas, the launch's own request as a dry run, the
    bucket's conditional writes, a schedule for no instance, and the caller's rights. Starts no instance and leaves nothing.
  - Says one line for each check. Fails when something would stop a launch.
  - In check mode it creates nothing, not even briefly.
options:
  account_id: {type: str, required: true, description: The account's twelve digits.}
  caller: {type: str, required: true, description: ARN of the user or role that the credentials belong to.}
  tags: {type: dict, required: true, description: Tags that a launch would give the instance.}
  policies:
    type: list
    elements: dict
    required: true
    description: The user policies, each with I(name), I(description) and I(policy), that the caller's permissions are compared with.
  needed_policies:
    type: list
    elements: str
    required: true
    description: Names of those of I(policies) without which nobody can launch.
extends_documentation_fragment: [training.in_region, training.project, training.launch]
author: Chronos Training developers
"""

EXAMPLES = r"""
- name: Find out what would stop a launch
  training_account_check:
    env: dev
    region: us-east-1
    project: Chronos-Training
    account_id: "{{ training_context_account_id }}"
    caller: "{{ training_context_caller }}"
    tags: "{{ training_tags }}"
    config: birthdays_tiny_cpu
    instance_types: [g4dn.2xlarge]
    device: cuda
    volume_gb: 100
    image_parameter: /aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id
    policies: "{{ training_access_policies }}"
    needed_policies: [chronos-training-dev-operator]
"""

RETURN = r"""
findings:
  description: What each check found, as I(name), I(kind) (ok, STOP, note, not seen, later) and I(text).
  type: list
  elements: dict
  returned: always
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import IN_REGION, LAUNCH, PROJECT
from chronos_training.ansible.module import main
from chronos_training.control.doctor.check_result import Kind, lines

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.control.doctor.examine import Asked, examine, stopping
from chronos_training.control.launch.request import LaunchRequest
from chronos_training.core.errors import TrainingError

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    **PROJECT,
    **LAUNCH,
    "account_id": {"type": "str", "required": True},
    "caller": {"type": "str", "required": True},
    "tags": {"type": "dict", "required": True},
    "policies": {"type": "list", "elements": "dict", "required": True},
    "needed_policies": {"type": "list", "elements": "str", "required": True},
}
# Of a launch, and nothing that its request to EC2 depends on.
NOT_OF_INTEREST: dict[str, Any] = {
    "heartbeat_seconds": 30.0,
    "log_seconds": 10.0,
    "watch_seconds": 20.0,
    "git_commit": "unknown",
    "resume_run": None,
    "repeat_run": None,
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Say what every check found; see RETURN. TrainingError when a launch would be stopped."""
    asked = Asked(
        params["env"],
        params["region"],
        params["account_id"],
        params["caller"],
        params["tags"],
        LaunchRequest.from_params({**params, **NOT_OF_INTEREST}),
        params["policies"],
        tuple(params["needed_policies"]),
        dry=check_mode,
    )
    findings = examine(asked)
    for line in lines(findings):
        emit(line)
    facts = {"findings": [{"name": one.name, "kind": one.kind.value, "text": one.text} for one in findings]}
    stops = stopping(findings)
    if stops:
        error = TrainingError(
            f"A launch in {params['env']} would be stopped by: {', '.join(stops)}.",
            hint="Each line above that says STOP explains what to do.",
            code="launch_blocked",
        )
        # Whatever was made for a moment is gone: nothing was changed.
        error.facts = {**facts, "changed": False, "done": []}
        raise error
    unseen = sum(one.kind is Kind.UNSEEN for one in findings)
    emit(f"nothing that was seen would stop a launch{f'; {unseen} not seen' if unseen else ''}")
    return {"changed": False, **facts}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
