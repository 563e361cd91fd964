#!/usr/bin/python
"""Ansible module: the schedule group and the dead-letter queue of the termination schedules."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_guard
short_description: Create or remove what termination schedules need besides their role
description:
  - A termination schedule is a one-time EventBridge schedule that terminates a run's instance at its deadline.
  - This makes the schedule group that carries its tags, and the queue that receives what could not be terminated.
    The queue is encrypted with a key of SQS and takes requests over TLS only.
options:
  group:
    description: Name of the schedule group.
    type: str
    required: true
  queue:
    description: Name of the dead-letter queue.
    type: str
    required: true
  region:
    description: The AWS region.
    type: str
    required: true
  account_id:
    description: The AWS account, for the queue's ARN in its policy. Needed when state is present.
    type: str
  state:
    description: C(absent) also deletes every schedule in the group and every message in the queue.
    type: str
    choices: [present, absent]
    default: present
  tags:
    description: Tags of both.
    type: dict
    default: {}
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Make the guard's schedule group and queue
  training_guard:
    group: chronos-training-dev
    queue: chronos-training-dev-guard-dlq
    region: us-east-1
    account_id: "123456789012"
    tags: "{{ training_tags }}"
"""

RETURN = r"""
queue_arn:
  description: ARN of the queue, also in check mode.
  type: str
  returned: when state is present
  sample: arn:aws:sqs:us-east-1:123456789012:chronos-training-dev-guard-dlq
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.module import main

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.control.provision import schedule_group
from chronos_training.core.errors import ConfigurationError

ARGUMENT_SPEC = {
    "group": {"type": "str", "required": True},
    "queue": {"type": "str", "required": True},
    "region": {"type": "str", "required": True},
    "account_id": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "tags": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Make both present or absent. Returns changed and diff."""
    clients = schedule_group.Clients.of(params["region"])
    group, queue = params["group"], params["queue"]
    if params["state"] == "absent":
        return schedule_group.ensure_absent(clients, group, queue, check_mode=check_mode)
    if not params["account_id"]:
        raise ConfigurationError("training_guard needs account_id when state is present.")
    queue_arn = f"arn:aws:sqs:{params['region']}:{params['account_id']}:{queue}"
    want = schedule_group.wanted(queue_arn, params["tags"])
    return schedule_group.ensure_present(clients, group, queue, want, check_mode=check_mode) | {"queue_arn": queue_arn}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
