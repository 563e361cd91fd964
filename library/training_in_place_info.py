#!/usr/bin/python
"""Ansible module: can what exists become what the inventory asks for now?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_in_place_info
short_description: Check that an environment can be changed in place to match its inventory
description:
  - Finds what exists by what never changes, the names that are made of the environment, whatever its tags say.
  - Fails with a message for each change that AWS cannot make to an existing resource, such as another address range of the VPC.
  - Chooses the zones of the subnets, so that a subnet that exists keeps its own. Changes nothing.
options:
  tags: {type: dict, required: true, description: The mandatory tags of the environment.}
  bucket: {type: str, required: true, description: The bucket's name.}
  cidr: {type: str, required: true, description: Address range of the VPC.}
  subnet_cidrs: {type: list, elements: str, required: true, description: Address ranges of the subnets.}
  zones: {type: list, elements: str, default: [], description: Their zones; empty means the first that there are.}
extends_documentation_fragment: [training.in_region]
author: Chronos Training
"""

EXAMPLES = r"""
- name: Check what would change
  training_in_place_info:
    env: dev
    region: us-east-1
    tags: "{{ training_tags }}"
    bucket: chronos-training-dev-123456789012-us-east-1
    cidr: 10.41.0.0/16
    subnet_cidrs: [10.41.0.0/20, 10.41.16.0/20]
  register: in_place
"""

RETURN = r"""
route_table_id: {type: str, returned: success, description: The environment's route table; empty when there is none yet.}
zones: {type: list, elements: str, returned: success, description: A zone for each range.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.control.provision import in_place
from chronos_training.control.provision.names import Names

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "tags": {"type": "dict", "required": True},
    "bucket": {"type": "str", "required": True},
    "cidr": {"type": "str", "required": True},
    "subnet_cidrs": {"type": "list", "elements": "str", "required": True},
    "zones": {"type": "list", "elements": "str", "default": []},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Return the route table and the zones. Reads only, so check mode is no different."""
    names = Names(params["env"], params["region"], params["bucket"], params["tags"])
    wish = in_place.Wish(names, params["cidr"], tuple(params["subnet_cidrs"]), tuple(params["zones"]))
    found = in_place.collect(wish)
    in_place.check(found, wish)
    return {"changed": False, "route_table_id": in_place.route_table(found), "zones": in_place.zones(found, wish)}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
