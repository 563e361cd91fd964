#!/usr/bin/python
"""Ansible module: a dashboard of CloudWatch."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_dashboard
short_description: Put a dashboard of CloudWatch
description:
  - Fails when CloudWatch finds fault with the body, which it stores nevertheless. The collections have no module for dashboards.
options:
  name: {type: str, required: true, description: The dashboard's name.}
  body: {type: dict, required: true, description: Its widgets.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Put the dashboard
  volatility_dashboard:
    name: volatility-dev
    env: dev
    region: us-east-1
    body:
      widgets:
        - {type: text, x: 0, y: 0, width: 24, height: 2, properties: {markdown: "# Volatility"}}
"""

RETURN = r"""
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import dashboard
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "name": {"type": "str", "required": True},
    "body": {"type": "dict", "required": True},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Put the dashboard. Returns changed and diff."""
    client = aws.client("cloudwatch", region=params["region"])
    return dashboard.ensure_present(client, params["name"], params["body"], check_mode=check_mode)


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
