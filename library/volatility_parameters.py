#!/usr/bin/python
"""Ansible module: SSM parameters of the volatility stack, those of one role in one pass."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_parameters
short_description: Publish what a role of the volatility stack made as SSM parameters, or remove them all
description:
  - The parameters lie below C(/volatility/<env>/). Each role publishes its own; those of the others stay as they are.
options:
  state:
    description: C(present) writes I(values); C(absent) deletes every parameter below the path.
    type: str
    choices: [present, absent]
    default: present
  values:
    description: The values by name.
    type: dict
    default: {}
  tags:
    description: Tags of each parameter.
    type: dict
    default: {}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Publish the ids
  volatility_parameters:
    env: dev
    region: us-east-1
    values:
      bucket: volatility-dev-123456789012-us-east-1
    tags: "{{ volatility_tags }}"
"""

RETURN = r"""
path:
  description: The path of the parameters.
  type: str
  returned: success
  sample: /volatility/dev/
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.control.provision import parameters
from chronos_training.control.volatility.settings import parameter_path
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "values": {"type": "dict", "default": {}},
    "tags": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Write or delete the parameters. Returns changed, diff and the path."""
    path = parameter_path(params["env"])
    ssm = aws.client("ssm", region=params["region"])
    if params["state"] == "absent":
        result = parameters.ensure_absent(ssm, path, check_mode=check_mode)
    else:
        result = parameters.ensure_present(ssm, path, params["values"], params["tags"], check_mode=check_mode)
    return result | {"path": path}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
