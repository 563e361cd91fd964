"""Ansible module: show the audit log of an environment."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_audit_info
short_description: Show who did what to an environment
description:
  - Each command that changed something (launch, kill, takeover of a dead run, fix, publish) has written one event
    below C(<env>/audit/) of the bucket, with who, where, when, the commit of the checkout, and the result.
  - Reads only.
options:
  limit: {type: int, default: 20, description: How many of the newest events.}
extends_documentation_fragment: [training.environment]
author: Chronos Training
"""

EXAMPLES = r"""
- name: Show the last five events
  training_audit_info:
    env: dev
    limit: 5
"""

RETURN = r"""
events:
  description: The events, newest first, as they are stored (core/schemas/audit_event.schema.json).
  type: list
  elements: dict
  returned: success
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import ENVIRONMENT
from chronos_training.ansible.module import main
from chronos_training.control.options.settings import resolve_settings
from chronos_training.control.registry import audit
from chronos_training.core import aws
from chronos_training.core.errors import ConfigurationError

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    "limit": {"type": "int", "default": 20},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Show the events; see RETURN."""
    if params["limit"] < 1:
        raise ConfigurationError(f"training_audit_limit is {params['limit']}, but must be 1 or more.")
    settings = resolve_settings(params["env"], region=params["region"])
    s3 = aws.client("s3", region=settings.region)
    found = audit.events(s3, settings.bucket, params["env"], params["limit"])
    for line in audit.table(found) if found else [f"the audit log of {params['env']} is empty"]:
        emit(line)
    return {"changed": False, "events": found}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
