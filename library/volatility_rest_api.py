#!/usr/bin/python
"""Ansible module: a REST API of API Gateway in front of a function."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_rest_api
short_description: Deploy a REST API from an OpenAPI file in front of a function's alias
description:
  - Every operation of the file is answered by the function, which the API's stage is permitted to invoke.
  - A definition that is deployed already is not deployed again; the collection's module never changes an API that it has made.
options:
  name: {type: str, required: true, description: The API's name.}
  state:
    description: C(absent) deletes the API with its stages.
    type: str
    choices: [present, absent]
    default: present
  document: {type: path, description: The OpenAPI file (JSON).}
  stage: {type: str, default: "", description: The stage that it is deployed to.}
  function_arn: {type: str, default: "", description: ARN of the function's alias.}
  log_group_arn: {type: str, default: "", description: ARN of the group of the access log.}
  log_role_arn: {type: str, default: "", description: The role with which API Gateway writes logs.}
  rate: {type: float, default: 100.0, description: Requests a second of all keys together.}
  burst: {type: int, default: 200, description: How many of them at once.}
  tags: {type: dict, default: {}, description: Tags of the API and its stage.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Deploy the API
  volatility_rest_api:
    name: volatility-dev
    env: dev
    region: us-east-1
    document: openapi.json
    stage: v1
    function_arn: "{{ volatility_function_arns.api }}:live"
    log_group_arn: "{{ volatility_log_group_arns.gateway }}"
    log_role_arn: "{{ volatility_role_arns.gateway }}"
    tags: "{{ volatility_tags }}"
"""

RETURN = r"""
api_id: {type: str, returned: when present, description: "The API's id; empty in a preview, before there is one."}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import rest_api
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "document": {"type": "path"},
    "stage": {"type": "str", "default": ""},
    "function_arn": {"type": "str", "default": ""},
    "log_group_arn": {"type": "str", "default": ""},
    "log_role_arn": {"type": "str", "default": ""},
    "rate": {"type": "float", "default": 100.0},
    "burst": {"type": "int", "default": 200},
    "tags": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Deploy or delete the API. Returns changed and its id."""
    gateway = aws.client("apigateway", region=params["region"])
    if params["state"] == "absent":
        return rest_api.ensure_absent(gateway, params["name"], check_mode=check_mode)
    wanted = rest_api.RestApi(
        name=params["name"],
        stage=params["stage"],
        document=rest_api.read_document(params["document"] or ""),
        function_arn=params["function_arn"],
        log_group_arn=params["log_group_arn"],
        log_role_arn=params["log_role_arn"],
        rate=params["rate"],
        burst=params["burst"],
        tags=params["tags"],
    )
    functions = aws.client("lambda", region=params["region"])
    return rest_api.ensure_present(gateway, functions, wanted, check_mode=check_mode)


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
