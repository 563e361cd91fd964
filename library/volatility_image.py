#!/usr/bin/python
"""Ansible module: build the images of the volatility stack and push them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_image
short_description: Build the images of the volatility stack and push them
description:
  - Each target of C(volatility/Containerfile) is pushed to a repository of ECR once, under the commit's tag.
  - An image that is there is not built again.
options:
  repositories:
    description: The repository's name for each target.
    type: dict
    required: true
  builder:
    description: The program that builds and pushes, with docker's words, and its first arguments.
    type: list
    elements: str
    required: true
  build_options:
    description: Further words of its C(build).
    type: list
    elements: str
    default: []
  tag:
    description: The tag; empty for that of the commit.
    type: str
    default: ""
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Publish the images
  volatility_image:
    env: dev
    region: us-east-1
    repositories: {batch: volatility-dev-batch, api: volatility-dev-api}
    builder: [docker]
"""

RETURN = r"""
tag: {type: str, returned: success, description: The tag., sample: 3f2a9c1b7d10}
images: {type: dict, returned: success, description: For each target that is there its reference by digest.}
pushed: {type: list, elements: str, returned: success, description: "The targets that were pushed, or would be."}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility.images import ensure_pushed
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "repositories": {"type": "dict", "required": True},
    "builder": {"type": "list", "elements": "str", "required": True},
    "build_options": {"type": "list", "elements": "str", "default": []},
    "tag": {"type": "str", "default": ""},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Push what is missing. Returns changed, the tag and the images."""
    return ensure_pushed(
        aws.client("ecr", region=params["region"]),
        params["repositories"],
        builder=params["builder"],
        options=params["build_options"],
        tag=params["tag"],
        check_mode=check_mode,
        emit=emit,
    )


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
