#!/usr/bin/python
"""Ansible module: ask the deployed API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_smoke
short_description: Ask each path of the deployed API once, and once without a key
description:
  - Fails with a sentence for each path that does not answer as it should. Changes nothing.
options:
  url: {type: str, required: true, description: Where the API's stage answers.}
  secret: {type: str, required: true, description: Name of the secret that holds the key.}
  session: {type: str, default: "", description: Whose forecast is asked for; empty for the last one's.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Ask the API
  volatility_smoke:
    env: dev
    region: us-east-1
    url: https://abc123def4.execute-api.us-east-1.amazonaws.com/v1
    secret: volatility/dev/api-key
"""

RETURN = r"""
answers: {type: list, elements: str, returned: always, description: What each path answered.}
forecast: {type: dict, returned: success, description: What /predict answered.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import http, smoke
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "url": {"type": "str", "required": True},
    "secret": {"type": "str", "required": True, "no_log": False},
    "session": {"type": "str", "default": ""},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Ask. Returns a line for each path, and the forecast."""
    url = http.checked_url(params["url"], params["env"])
    key = http.key_of(aws.client("secretsmanager", region=params["region"]), params["secret"])
    found = smoke.check(url, key, params["session"])
    return {"answers": found.lines, "forecast": found.forecast}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
