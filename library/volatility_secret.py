#!/usr/bin/python
"""Ansible module: a secret of the volatility stack, whose value it never reads."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_secret
short_description: Make a secret of the volatility stack, or delete it
description:
  - A secret that is there keeps its value, whatever it is; a person or its owner changes it. A deleted one that can be restored is.
options:
  name: {type: str, required: true, description: The secret's name.}
  state:
    description: C(absent) deletes the secret with its value, at once.
    type: str
    choices: [present, absent]
    default: present
  description: {type: str, default: "", description: What it is for.}
  generate:
    description: Whether a new secret begins with a random value. Otherwise it has none until somebody stores one.
    type: bool
    default: false
  tags: {type: dict, default: {}, description: Tags of the secret.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Make the key of the API
  volatility_secret:
    name: volatility/dev/api-key
    env: dev
    region: us-east-1
    description: Key of the API's first client
    generate: true
    tags: "{{ volatility_tags }}"
"""

RETURN = r"""
arn: {type: str, returned: when present, description: "The secret's ARN; empty in a preview, before there is one."}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import secrets
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "description": {"type": "str", "default": ""},
    "generate": {"type": "bool", "default": False},
    "tags": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Make or delete the secret. Returns changed and its ARN."""
    client = aws.client("secretsmanager", region=params["region"])
    if params["state"] == "absent":
        return secrets.ensure_absent(client, params["name"], check_mode=check_mode)
    return secrets.ensure_present(
        client,
        params["name"],
        params["description"],
        params["tags"],
        generate=params["generate"],
        check_mode=check_mode,
    )


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
