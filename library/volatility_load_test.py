#!/usr/bin/python
"""Ansible module: a load test of the deployed API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_load_test
short_description: Send requests to the deployed API with Locust, and look at the times and the errors
description:
  - Fails when a limit is passed, with what was measured. In check mode nothing is sent.
options:
  url: {type: str, required: true, description: Where the API's stage answers.}
  secret: {type: str, required: true, description: Name of the secret that holds the key.}
  packages: {type: path, required: true, description: The folder in which Locust is installed.}
  script: {type: path, required: true, description: What Locust runs.}
  users: {type: int, required: true, description: How many clients send requests at the same time.}
  seconds: {type: int, required: true, description: For how long.}
  p95_milliseconds: {type: int, required: true, description: The highest 95th percentile.}
  error_percent: {type: float, required: true, description: The highest share of failed requests.}
  session: {type: str, default: "", description: Whose forecast is asked for; empty for the last one's.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Send requests for half a minute
  volatility_load_test:
    env: dev
    region: us-east-1
    url: https://abc123def4.execute-api.us-east-1.amazonaws.com/v1
    secret: volatility/dev/api-key
    packages: .cache/clients-tools/0123456789abcdef
    script: roles/volatility_clients/files/locustfile.py
    users: 4
    seconds: 30
    p95_milliseconds: 2000
    error_percent: 0
"""

RETURN = r"""
lines: {type: list, elements: str, returned: always, description: What was measured.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import http, load_test
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "url": {"type": "str", "required": True},
    "secret": {"type": "str", "required": True, "no_log": False},
    "packages": {"type": "path", "required": True},
    "script": {"type": "path", "required": True},
    "users": {"type": "int", "required": True},
    "seconds": {"type": "int", "required": True},
    "p95_milliseconds": {"type": "int", "required": True},
    "error_percent": {"type": "float", "required": True},
    "session": {"type": "str", "default": ""},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Send the load. Returns what was measured."""
    url = http.checked_url(params["url"], params["env"])
    load = load_test.Load(**{name: params[name] for name in load_test.Load.__dataclass_fields__})
    if check_mode:
        return {"lines": [f"{load.users} clients would send requests to {url} for {load.seconds} s."]}
    key = http.key_of(aws.client("secretsmanager", region=params["region"]), params["secret"])
    return {"lines": load_test.measure(load, url, key, params["script"], params["packages"]).lines()}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
