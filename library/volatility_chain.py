#!/usr/bin/python
"""Ansible module: make the state machine of the daily chain."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_chain
short_description: Make the state machine of the daily chain
description:
  - Makes a Standard state machine with its log, or brings it to a new definition.
options:
  name:
    description: The machine's name.
    type: str
    required: true
  definition:
    description: The definition in Amazon States Language, as JSON.
    type: json
    required: true
  role_arn:
    description: The role that the machine takes.
    type: str
    required: true
  log_group_arn:
    description: The log group of its executions.
    type: str
    required: true
  tags:
    description: Its tags. Others stay.
    type: dict
    default: {}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Make the chain
  volatility_chain:
    env: dev
    region: us-east-1
    name: volatility-dev-daily
    definition: "{{ lookup('ansible.builtin.template', 'daily.json.j2') }}"
    role_arn: "{{ volatility_role_arns.chain }}"
    log_group_arn: "{{ volatility_log_group_arns.chain }}"
    tags: "{{ volatility_tags }}"
"""

RETURN = r"""
arn: {type: str, returned: success, description: "The machine's ARN; empty in a preview before it is made."}
properties: {type: list, elements: str, returned: success, description: "What was written, or would be."}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

import json
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import chain
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "name": {"type": "str", "required": True},
    "definition": {"type": "json", "required": True},
    "role_arn": {"type": "str", "required": True},
    "log_group_arn": {"type": "str", "required": True},
    "tags": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Make or change the machine. Returns changed, diff, and its ARN."""
    definition = params["definition"]
    return chain.ensure_present(
        aws.client("stepfunctions", region=params["region"]),
        params["name"],
        definition if isinstance(definition, str) else json.dumps(definition),
        params["role_arn"],
        params["log_group_arn"],
        params["tags"],
        check_mode=check_mode,
    )


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
