#!/usr/bin/python
"""Ansible module: the role by which ECS works in the account."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_ecs_role
short_description: Make the service-linked role of ECS
description:
  - An account has one, whoever made it. It costs nothing, holds no credentials, and is never removed.
  - Without it a cluster with capacity providers can only be made by somebody who may create service-linked roles.
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Make the role of ECS
  volatility_ecs_role:
    env: dev
    region: us-east-1
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
from chronos_training.control.volatility import service_linked_role
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {**IN_REGION}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Make the role unless it is there. Returns changed."""
    return service_linked_role.ensure_present(aws.client("iam", region=params["region"]), check_mode=check_mode)


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
