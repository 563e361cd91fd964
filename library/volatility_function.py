#!/usr/bin/python
"""Ansible module: a Lambda function of the volatility stack, from an image."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_function
short_description: Deploy a Lambda function from an image, and let an alias name its version
description:
  - A function that is as it shall be is not touched; the collection's module updates the image of one in every pass.
  - With I(alias) a version is published after a change, and the alias is moved to it, or a share of its requests.
options:
  name: {type: str, required: true, description: The function's name.}
  state:
    description: C(absent) deletes the function with its versions.
    type: str
    choices: [present, absent]
    default: present
  role_arn: {type: str, default: "", description: The role that it runs with.}
  image_uri: {type: str, default: "", description: "The image by its digest: REPOSITORY@sha256:DIGEST."}
  command:
    description: What the image runs in place of its own command.
    type: list
    elements: str
    default: []
  description: {type: str, default: "", description: What it does.}
  memory_mb: {type: int, default: 128, description: Its memory in MiB.}
  timeout_seconds: {type: int, default: 3, description: After how long an invocation is ended.}
  environment: {type: dict, default: {}, description: Its environment's variables.}
  log_group: {type: str, default: "", description: Where it logs.}
  alias: {type: str, default: "", description: The alias that names the version that answers. Empty without versions.}
  weight:
    description: The share of the alias's requests that a new version has; the rest stays with the version before it.
    type: float
    default: 1.0
  tags: {type: dict, default: {}, description: Tags of the function.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Deploy the API's function, with a tenth of the requests
  volatility_function:
    name: volatility-dev-api
    env: dev
    region: us-east-1
    role_arn: "{{ volatility_role_arns.api }}"
    image_uri: "{{ volatility_settings.api_image }}"
    log_group: /aws/lambda/volatility-dev-api
    alias: live
    weight: 0.1
    tags: "{{ volatility_tags }}"
"""

RETURN = r"""
arn: {type: str, returned: when present, description: "The function's ARN; empty before there is one."}
version: {type: str, returned: when present, description: "The version that is what was asked for; empty without alias, and in a preview."}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import functions
from chronos_training.core import aws, commands
from chronos_training.core.errors import ConfigurationError

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "role_arn": {"type": "str", "default": ""},
    "image_uri": {"type": "str", "default": ""},
    "command": {"type": "list", "elements": "str", "default": []},
    "description": {"type": "str", "default": ""},
    "memory_mb": {"type": "int", "default": 128},
    "timeout_seconds": {"type": "int", "default": 3},
    "environment": {"type": "dict", "default": {}},
    "log_group": {"type": "str", "default": ""},
    "alias": {"type": "str", "default": ""},
    "weight": {"type": "float", "default": 1.0},
    "tags": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Deploy or delete the function. Returns changed, its ARN and its version."""
    client = aws.client("lambda", region=params["region"])
    if params["state"] == "absent":
        return functions.ensure_absent(client, params["name"], check_mode=check_mode)
    if "@sha256:" not in params["image_uri"]:
        raise ConfigurationError(
            f"The image of the function {params['name']} is {params['image_uri'] or 'not known'!r}, not one by its digest.",
            hint=f"Publish the images first: {commands.playbook(params['env'], 'publish_images')}",
        )
    if not 0 < params["weight"] <= 1:
        raise ConfigurationError(f"The weight of a version is above 0 and at most 1, not {params['weight']}.")
    wanted = functions.Function(
        name=params["name"],
        role_arn=params["role_arn"],
        image_uri=params["image_uri"],
        log_group=params["log_group"],
        description=params["description"],
        command=tuple(params["command"]),
        memory_mb=params["memory_mb"],
        timeout_seconds=params["timeout_seconds"],
        environment={name: str(value) for name, value in params["environment"].items()},
        tags=params["tags"],
    )
    return functions.ensure_present(
        client, wanted, alias=params["alias"], weight=params["weight"], check_mode=check_mode
    )


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
