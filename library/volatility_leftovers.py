#!/usr/bin/python
"""Ansible module: remove what the collections have no modules for."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_leftovers
short_description: Remove things of the volatility stack that the collections have no module for, or none that previews
options:
  account_id: {type: str, required: true, description: The account's twelve digits.}
  kinds:
    type: list
    elements: str
    required: true
    choices:
      - schedule
      - schedule group
      - task
      - usage plan
      - API key
      - API Gateway's log role
      - dashboard
      - rule
      - repository
      - budget
    description: What is removed, by kind. All that the stack has of it, found by its name.
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Remove the schedules
  volatility_leftovers:
    env: dev
    region: us-east-1
    account_id: "123456789012"
    kinds: [schedule, schedule group]
"""

RETURN = r"""
removed: {type: list, elements: str, returned: success, description: "What was removed, or would be."}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import survey

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "account_id": {"type": "str", "required": True},
    "kinds": {"type": "list", "elements": "str", "required": True, "choices": list(survey.REMOVERS)},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Remove what exists of the kinds. Returns changed and what was removed."""
    stack = survey.Stack(params["env"], params["region"], params["account_id"])
    names = [f"{one.kind} {one.name}" for one in survey.remove(stack, tuple(params["kinds"]), check_mode=check_mode)]
    return {
        "changed": bool(names),
        "removed": names,
        "diff": {"before": "".join(f"{name}\n" for name in names), "after": ""},
    }


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
