#!/usr/bin/python
"""Ansible module: GitHub as an identity provider of the account."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_oidc_provider
short_description: Make GitHub an identity provider of the account, or remove it
description:
  - An account has one, whoever made it; one that is there is used as it is.
options:
  state:
    description: C(absent) removes it if this stack made it and no role but this environment's trusts it.
    type: str
    choices: [present, absent]
    default: present
  tags: {type: dict, default: {}, description: Tags of the provider.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Let GitHub sign in
  volatility_oidc_provider:
    env: dev
    region: us-east-1
    tags: "{{ volatility_tags }}"
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
from chronos_training.control.volatility import oidc_provider
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "tags": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Make or remove the provider. Returns changed."""
    iam = aws.client("iam", region=params["region"])
    if params["state"] == "absent":
        return oidc_provider.ensure_absent(iam, f"volatility-{params['env']}-", check_mode=check_mode)
    return oidc_provider.ensure_present(iam, params["tags"], check_mode=check_mode)


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
