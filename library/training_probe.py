#!/usr/bin/python
"""Ansible module: show what a probe found, once its instance is terminated."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_probe
short_description: Show what a probe found, and store how long EC2 took to end its instance
description:
  - Says the facts that the probe stored in its run's prefix, waits until EC2 says C(terminated) for its instance, and stores
    beside them how long that took.
options:
  run_id: {type: str, required: true, description: Id of the probe's run.}
  wait_seconds: {type: float, default: 900, description: How long EC2 may take.}
extends_documentation_fragment: [training.environment, training.project]
author: Chronos Training developers
"""

EXAMPLES = r"""
- name: Show what it found
  training_probe:
    env: dev
    region: us-east-1
    project: Chronos-Training
    run_id: 20260101-120000
"""

RETURN = r"""
facts: {type: dict, returned: success, description: What was found; see C(probe) of the role training_run.}
missing: {type: dict, returned: success, description: Why a fact is missing.}
seconds_to_terminated: {type: float, returned: success, description: "Seconds from the run's end to C(terminated), as seen from here."}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import ENVIRONMENT, PROJECT
from chronos_training.ansible.module import main
from chronos_training.control.lifecycle.probe_report import show
from chronos_training.control.options.settings import resolve_settings
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    **PROJECT,
    "run_id": {"type": "str", "required": True},
    "wait_seconds": {"type": "float", "default": 900},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Say what the probe found; see RETURN."""
    settings = resolve_settings(params["env"], region=params["region"])
    s3, ec2 = aws.client("s3", region=settings.region), aws.client("ec2", region=settings.region)
    where = (settings.bucket, params["project"], params["env"], params["run_id"])
    return {"changed": True, **show(s3, ec2, *where, params["wait_seconds"], emit)}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
