#!/usr/bin/python
"""Ansible module: what the volatility stack will be, and what a month of it costs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_plan_info
short_description: Say what the volatility stack will be, and what a month of it costs
description:
  - List prices of a dated table times what a month uses. Asks AWS nothing.
options:
  api_requests: {type: float, default: 10000, description: Requests to the API that a month brings.}
  training_minutes: {type: float, default: 15, description: Minutes that a week's training takes.}
  data_gb: {type: float, default: 1, description: Size of the bucket.}
  mirror: {type: bool, default: false, description: Whether there is a table of predictions.}
  macro: {type: bool, default: false, description: Whether there is a secret for FRED's key.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Say what it costs
  volatility_plan_info:
    env: dev
    region: us-east-1
    api_requests: 50000
"""

RETURN = r"""
dollars:
  description: What a month costs at list prices.
  type: float
  returned: success
  sample: 4.21
lines: {type: list, elements: dict, returned: success, description: "What is paid for, each with what, how_much, dollars."}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import cost, plan

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "api_requests": {"type": "float", "default": 10000},
    "training_minutes": {"type": "float", "default": 15},
    "data_gb": {"type": "float", "default": 1},
    "mirror": {"type": "bool", "default": False},
    "macro": {"type": "bool", "default": False},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Tell the plan, and return its figures."""
    usage = cost.Usage(**{name: params[name] for name in cost.Usage.__dataclass_fields__})
    for line in plan.told(f"volatility-{params['env']}", params["region"], usage):
        emit(line)
    lines = cost.month(usage)
    return {
        "changed": False,
        "dollars": round(sum(one.dollars for one in lines), 2),
        "lines": [asdict(one) for one in lines],
    }


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
