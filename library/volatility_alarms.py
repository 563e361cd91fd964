#!/usr/bin/python
"""Ansible module: alarms of CloudWatch, all of a stack in one pass."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_alarms
short_description: Put the alarms of the volatility stack
description:
  - The collection's module calls an alarm on an expression changed in every pass, and knows no tags.
  - Alarms that are not named stay as they are.
options:
  prefix: {type: str, required: true, description: What the names begin with.}
  topic_arn: {type: str, required: true, description: The topic that is told.}
  paused: {type: bool, default: false, description: Whether they tell nobody.}
  alarms:
    description: The alarms, each on a metric or on an expression of several.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {type: str, required: true, description: "The name, without the prefix."}
      says: {type: str, required: true, description: "What happened, what it means and what to type."}
      namespace: {type: str, description: The metric's namespace.}
      metric: {type: str, description: The metric's name.}
      dimensions: {type: dict, description: The metric's dimensions.}
      stat: {type: str, description: "The statistic: C(Sum), C(Maximum), C(p95), …"}
      metrics: {type: dict, description: "By identifier: namespace, metric, dimensions and stat of what I(expression) is about."}
      expression: {type: str, description: Metric math.}
      label: {type: str, description: What the expression is.}
      period: {type: int, default: 60, description: Seconds of a period.}
      periods: {type: int, default: 1, description: How many periods are looked at.}
      breaching: {type: int, description: How many of them must be beyond the threshold; all of them by default.}
      comparison: {type: str, required: true, description: CloudWatch's name of the comparison.}
      threshold: {type: float, required: true, description: What the statistic is compared with.}
      missing:
        type: str
        required: true
        choices: [breaching, notBreaching, ignore, missing]
        description: What a period without data counts as.
      ok: {type: bool, default: false, description: Whether the topic is told when it is over.}
  tags: {type: dict, default: {}, description: Tags of each alarm.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Put the alarms
  volatility_alarms:
    env: dev
    region: us-east-1
    prefix: volatility-dev
    topic_arn: arn:aws:sns:us-east-1:123456789012:volatility-dev-alarms
    alarms:
      - name: api-throttled
        says: Lambda refused requests to the API.
        namespace: AWS/Lambda
        metric: Throttles
        dimensions: {FunctionName: volatility-dev-api}
        stat: Sum
        comparison: GreaterThanThreshold
        threshold: 0
        missing: notBreaching
"""

RETURN = r"""
names: {type: list, elements: str, returned: success, description: The alarms that were put.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import alarms
from chronos_training.core import aws

TEXT = {"type": "str"}
ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "prefix": {"type": "str", "required": True},
    "topic_arn": {"type": "str", "required": True},
    "alarms": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "says": {"type": "str", "required": True},
            "namespace": TEXT,
            "metric": TEXT,
            "dimensions": {"type": "dict"},
            "stat": TEXT,
            "metrics": {"type": "dict"},
            "expression": TEXT,
            "label": TEXT,
            "period": {"type": "int", "default": 60},
            "periods": {"type": "int", "default": 1},
            "breaching": {"type": "int"},
            "comparison": {"type": "str", "required": True},
            "threshold": {"type": "float", "required": True},
            "missing": {
                "type": "str",
                "required": True,
                "choices": ["breaching", "notBreaching", "ignore", "missing"],
            },
            "ok": {"type": "bool", "default": False},
        },
    },
    "paused": {"type": "bool", "default": False},
    "tags": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Put the alarms. Returns changed, names and diff."""
    given = [{key: value for key, value in one.items() if value is not None} for one in params["alarms"]]
    return alarms.ensure_present(
        aws.client("cloudwatch", region=params["region"]),
        params["prefix"],
        given,
        params["topic_arn"],
        params["tags"],
        paused=params["paused"],
        check_mode=check_mode,
    )


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
