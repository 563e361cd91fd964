#!/usr/bin/python
"""Ansible module: make recurring schedules."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_schedules
short_description: Make recurring schedules
description:
  - Makes a group of EventBridge Scheduler with schedules that give their target the time at which it was to run.
options:
  group:
    description: The group's name.
    type: str
    required: true
  schedules:
    description: The schedules.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name in the group.
        type: str
        required: true
      description:
        description: What it is for.
        type: str
        required: true
      expression:
        description: A cron or rate expression.
        type: str
        required: true
      timezone:
        description: The time zone of the expression.
        type: str
        default: UTC
      target:
        description: The ARN of a state machine or a function.
        type: str
        required: true
      role:
        description: The role that may call it.
        type: str
        required: true
      enabled:
        description: Whether it fires.
        type: bool
        default: true
  tags:
    description: Tags of the group; a schedule has none of its own.
    type: dict
    default: {}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Make the schedules
  volatility_schedules:
    env: dev
    region: us-east-1
    group: volatility-dev
    schedules:
      - name: evening
        description: The day's chain.
        expression: cron(5 18 ? * MON-FRI *)
        timezone: America/New_York
        target: "{{ volatility_chain_arn }}"
        role: "{{ volatility_role_arns.scheduler }}"
"""

RETURN = r"""
written: {type: list, elements: str, returned: success, description: "The schedules that were written, or would be."}
group_made: {type: bool, returned: success, description: Whether the group is new.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import schedules
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "group": {"type": "str", "required": True},
    "schedules": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "description": {"type": "str", "required": True},
            "expression": {"type": "str", "required": True},
            "timezone": {"type": "str", "default": "UTC"},
            "target": {"type": "str", "required": True},
            "role": {"type": "str", "required": True},
            "enabled": {"type": "bool", "default": True},
        },
    },
    "tags": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Make or change the group and its schedules. Returns changed and diff."""
    scheduler = aws.client("scheduler", region=params["region"])
    wanted = params["schedules"]
    return schedules.ensure_present(scheduler, params["group"], wanted, params["tags"], check_mode=check_mode)


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
