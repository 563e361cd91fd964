#!/usr/bin/python
"""Ansible module: everything of the volatility stack that an account has."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_stack_info
short_description: Find everything of the volatility stack that an account has now
description:
  - Looks at the account by names, never at records of its own.
options:
  account_id: {type: str, required: true, description: The account's twelve digits.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Find what exists
  volatility_stack_info:
    env: dev
    region: us-east-1
    account_id: "123456789012"
  register: stack
"""

RETURN = r"""
found:
  description: What exists, by kind, as the modules that remove it take it. Every kind is there, perhaps empty.
  type: dict
  returned: success
  sample: {function: [volatility-dev-ingest]}
table:
  description: The same for a person.
  type: str
  returned: success
data: {type: list, elements: str, returned: success, description: The bucket and its key if they exist.}
left: {type: list, elements: str, returned: success, description: Everything else that exists.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import survey

ARGUMENT_SPEC: dict[str, Any] = {**IN_REGION, "account_id": {"type": "str", "required": True}}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Return what exists. Reads only, so check mode is no different."""
    found = survey.find(survey.Stack(params["env"], params["region"], params["account_id"]))
    by_kind: dict[str, list[str]] = {kind: [] for kind in survey.FINDERS}
    for one in found:
        by_kind[one.kind].append(one.identity)
    return {
        "changed": False,
        "found": by_kind,
        "table": "\n".join(survey.table(found)),
        "data": [f"{one.kind} {one.name}" for one in found if one.kind in survey.KEPT],
        "left": [f"{one.kind} {one.name}" for one in found if one.kind not in survey.KEPT],
    }


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
