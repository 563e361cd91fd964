#!/usr/bin/python
"""Ansible module: what exists of an environment, whether it is right, and whether a run is active."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_infrastructure_info
short_description: Read an environment's persistent resources back from AWS and check their properties
description:
  - Reads by tag and by name, never from a record of what was made, so that it sees what AWS sees.
  - Changes nothing, and does not fail when a property does not hold; the caller decides what I(findings) mean.
options:
  bucket:
    description: The bucket's name.
    type: str
    required: true
  tags:
    description: The four mandatory tags. Project and Environment select the resources.
    type: dict
    required: true
  policy:
    description: The whole inline policy that the instance role must have. Without it nothing is checked.
    type: dict
  guard_policy:
    description: The whole inline policy that the role of the termination schedules must have.
    type: dict
    default: {}
  people_policies:
    description: The user policies as they must be, each with I(name), I(description) and I(policy).
    type: list
    elements: dict
    default: []
  subnets:
    description: Number of subnets the environment should have.
    type: int
    default: 0
  lifecycle:
    description: Days of the bucket's lifecycle rules, by the names of the options of M(training_bucket).
    type: dict
    default: {}
  absent:
    description: What the table says in place of the id of something that does not exist. Empty leaves it out.
    type: str
    default: ""
  patience_seconds:
    description:
      - How long what was read may disagree with what it must be before it is reported. AWS needs some seconds to tell a change
        everywhere. In check mode nothing is waited for.
    type: float
    default: 0
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Read the environment back
  training_infrastructure_info:
    env: dev
    region: us-east-1
    bucket: chronos-training-dev-123456789012-us-east-1
    tags: "{{ training_tags }}"
  register: infrastructure
"""

RETURN = r"""
ids:
  description: Ids of what exists, by kind; each a list.
  type: dict
  returned: success
findings:
  description: One sentence for each property that does not hold. Empty without I(policy).
  type: list
  elements: str
  returned: success
active_run:
  description: A sentence about the active run, or an empty string.
  type: str
  returned: success
bucket_exists:
  description: Whether the bucket exists.
  type: bool
  returned: success
people:
  description: Names of the user policies that exist.
  type: list
  elements: str
  returned: success
kept:
  description: Those of them that a teardown leaves, because whoever runs it may be working with them.
  type: list
  elements: str
  returned: success
lifetimes:
  description: How long each kind of resource lives, as aligned text.
  type: str
  returned: success
delete_bucket:
  description: The command that removes the environment with its bucket and all its data.
  type: str
  returned: success
table:
  description: The resources as aligned text.
  type: str
  returned: success
resources:
  description: The resources as kind, name, id and lifecycle.
  type: list
  elements: dict
  returned: success
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.control.provision.active import active_run
from chronos_training.control.provision.bucket import Lifecycle, wanted
from chronos_training.control.provision.checks import findings, read_back
from chronos_training.control.provision.names import Names
from chronos_training.control.provision.survey import Survey, survey
from chronos_training.control.provision.table import lifetimes, render, rows
from chronos_training.core.commands import playbook

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "bucket": {"type": "str", "required": True},
    "tags": {"type": "dict", "required": True},
    "policy": {"type": "dict"},
    "guard_policy": {"type": "dict", "default": {}},
    "people_policies": {"type": "list", "elements": "dict", "default": []},
    "subnets": {"type": "int", "default": 0},
    "lifecycle": {"type": "dict", "default": {}},
    "absent": {"type": "str", "default": ""},
    "patience_seconds": {"type": "float", "default": 0},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Survey the environment and judge it. Reads only, so check mode is no different."""
    names = Names(params["env"], params["region"], params["bucket"], params["tags"])

    def look() -> tuple[Survey, list[str]]:
        seen = survey(names)
        if not params["policy"]:
            return seen, []
        lifecycle = Lifecycle(**{key: int(value) for key, value in params["lifecycle"].items()})
        bucket = wanted(names.env, names.bucket, names.tags, lifecycle)
        people = {one["name"]: one["policy"] for one in params["people_policies"]}
        return seen, findings(seen, names, bucket, params["policy"], params["guard_policy"], people)

    # In check mode what is missing will not come.
    seen, found = read_back(look, 0 if check_mode else params["patience_seconds"], emit)
    table = rows(seen, names, params["subnets"])
    return {
        "changed": False,
        "ids": _ids(seen),
        "findings": found,
        "active_run": active_run(seen, names),
        "lifetimes": lifetimes(names.env),
        "delete_bucket": playbook(names.env, "teardown_infrastructure", training_teardown_delete_bucket=names.bucket),
        "bucket_exists": seen.bucket is not None,
        "people": sorted(seen.people),
        "kept": [name for name, one in seen.people.items() if name == names.administrator and one.attachments],
        "resources": [asdict(row) for row in table],
        "table": render(table, params["absent"]),
    }


def _ids(seen: Survey) -> dict[str, list[Any]]:
    return {
        "vpcs": [v["VpcId"] for v in seen.vpcs],
        "subnets": [{"id": s["SubnetId"], "vpc_id": s["VpcId"], "cidr": s["CidrBlock"]} for s in seen.subnets],
        "gateways": [g["InternetGatewayId"] for g in seen.gateways],
        "route_tables": [t["RouteTableId"] for t in seen.route_tables],
        "endpoints": [e["VpcEndpointId"] for e in seen.endpoints],
        "security_groups": [g["GroupId"] for g in seen.security_groups],
    }


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
