#!/usr/bin/python
"""Ansible module: a usage plan of API Gateway and its key."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_usage_plan
short_description: Limit how often an API key may call, with the key's value from a secret
description:
  - No collection has a module for usage plans and keys.
  - The key's value goes from the secret to API Gateway, and nowhere else. A new version of the secret is a new key.
options:
  name: {type: str, required: true, description: "The plan's name; its keys begin with it."}
  state:
    description: C(absent) deletes the plan and its keys.
    type: str
    choices: [present, absent]
    default: present
  api_id: {type: str, default: "", description: "The API; empty in a preview, before there is one."}
  stage: {type: str, default: "", description: The API's stage.}
  secret: {type: str, default: "", description: Name of the secret that holds the key.}
  keep_previous:
    description: Whether the key before the present one stays valid, so that clients can change.
    type: bool
    default: false
  rate: {type: float, default: 5.0, description: Requests a second of a key.}
  burst: {type: int, default: 10, description: How many of them at once.}
  quota: {type: int, default: 10000, description: Requests a day of a key.}
  tags: {type: dict, default: {}, description: Tags of the plan and its keys.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Make the usage plan
  volatility_usage_plan:
    name: volatility-dev
    env: dev
    region: us-east-1
    api_id: abc123def4
    stage: v1
    secret: volatility/dev/api-key
    tags: "{{ volatility_tags }}"
"""

RETURN = r"""
plan_id: {type: str, returned: when present, description: "The plan's id; empty in a preview, before there is one."}
key_id: {type: str, returned: when present, description: "The id of the present key, not its value."}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import usage_plan
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "api_id": {"type": "str", "default": ""},
    "stage": {"type": "str", "default": ""},
    "secret": {"type": "str", "default": "", "no_log": False},
    "keep_previous": {"type": "bool", "default": False},
    "rate": {"type": "float", "default": 5.0},
    "burst": {"type": "int", "default": 10},
    "quota": {"type": "int", "default": 10000},
    "tags": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Make or delete the plan and its keys. Returns changed and their ids."""
    gateway = aws.client("apigateway", region=params["region"])
    if params["state"] == "absent":
        return usage_plan.ensure_absent(gateway, params["name"], check_mode=check_mode)
    wanted = usage_plan.UsagePlan(
        **{name: params[name] for name in ("name", "api_id", "stage", "rate", "burst", "quota", "tags")}
    )
    secrets = aws.client("secretsmanager", region=params["region"])
    return usage_plan.ensure_present(
        gateway, secrets, wanted, params["secret"], keep_previous=params["keep_previous"], check_mode=check_mode
    )


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
