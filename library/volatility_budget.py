#!/usr/bin/python
"""Ansible module: the monthly budget of the volatility stack."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_budget
short_description: Set the monthly budget of the volatility stack
description:
  - Tells the topic when 80 % is spent, and when the month is going to cost more than the budget. The collections have no module for budgets.
  - It counts what carries the tag Project, once somebody has activated that as a cost allocation tag of the account.
options:
  name: {type: str, required: true, description: The budget's name.}
  account_id: {type: str, required: true, description: The account.}
  dollars: {type: float, required: true, description: What a month may cost.}
  project: {type: str, required: true, description: The value of the tag Project.}
  topic_arn: {type: str, required: true, description: The topic that is told.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Set the budget
  volatility_budget:
    name: volatility-dev
    env: dev
    region: us-east-1
    account_id: "123456789012"
    dollars: 10
    project: Chronos-Volatility
    topic_arn: arn:aws:sns:us-east-1:123456789012:volatility-dev-alarms
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
from chronos_training.control.volatility import budget
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "name": {"type": "str", "required": True},
    "account_id": {"type": "str", "required": True},
    "dollars": {"type": "float", "required": True},
    "project": {"type": "str", "required": True},
    "topic_arn": {"type": "str", "required": True},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Set the budget. Returns changed and diff."""
    return budget.ensure_present(
        aws.client("budgets", region=params["region"]),
        params["account_id"],
        params["name"],
        params["dollars"],
        params["project"],
        params["topic_arn"],
        check_mode=check_mode,
    )


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
