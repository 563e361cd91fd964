#!/usr/bin/python
"""Ansible module: the environment's bucket, made right in one pass, with a true check mode and diff."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_bucket
short_description: Make or delete the bucket of a training environment
description:
  - Closes the bucket to the public, encrypts it with SSE-S3, denies requests without TLS, disables ACLs, tags it,
    and sets the two lifecycle rules of logs and runs.
  - Writes only what differs. Rules of the lifecycle and statements of the policy that are not ours are replaced.
  - C(state=absent) deletes every object first. This cannot be undone.
options:
  name:
    description: The bucket's name.
    type: str
    required: true
  env:
    description: The environment, whose prefix the lifecycle rules name. Needed for C(state=present).
    type: str
  region:
    description: The AWS region.
    type: str
    required: true
  state:
    description: Whether the bucket must exist.
    type: str
    choices: [present, absent]
    default: present
  tags:
    description: Tags to set. Tags of others stay.
    type: dict
    default: {}
  logs_expire_days:
    description: Age in days at which logs are deleted.
    type: int
    default: 14
  runs_standard_ia_days:
    description: Age in days at which objects of runs move to STANDARD_IA. S3 refuses fewer than 30.
    type: int
    default: 30
  runs_expire_days:
    description: Age in days at which objects of runs are deleted.
    type: int
    default: 90
  abort_multipart_days:
    description: Age in days at which uploads that were never completed are removed.
    type: int
    default: 7
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Make the bucket
  training_bucket:
    name: chronos-training-dev-123456789012-us-east-1
    env: dev
    region: us-east-1
    tags: "{{ training_tags }}"

- name: Delete the bucket and everything in it
  training_bucket:
    name: chronos-training-dev-123456789012-us-east-1
    region: us-east-1
    state: absent
"""

RETURN = r"""
aspects:
  description: What was changed, or would be.
  type: list
  elements: str
  returned: when state is present
  sample: [public_access_block, policy]
objects:
  description: Number of objects deleted, or that would be.
  type: int
  returned: when state is absent
  sample: 12
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.module import main

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.control.provision import bucket
from chronos_training.core import aws
from chronos_training.core.errors import ConfigurationError

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "env": {"type": "str"},
    "region": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "tags": {"type": "dict", "default": {}},
    "logs_expire_days": {"type": "int", "default": 14},
    "runs_standard_ia_days": {"type": "int", "default": 30},
    "runs_expire_days": {"type": "int", "default": 90},
    "abort_multipart_days": {"type": "int", "default": 7},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Make the bucket present or absent. Returns changed with the aspects, or the number of objects."""
    s3 = aws.client("s3", region=params["region"])
    if params["state"] == "absent":
        return bucket.ensure_absent(s3, params["name"], check_mode=check_mode)
    if not params["env"]:
        raise ConfigurationError("training_bucket needs env when state is present.")
    lifecycle = bucket.Lifecycle(
        logs_expire_days=params["logs_expire_days"],
        runs_standard_ia_days=params["runs_standard_ia_days"],
        runs_expire_days=params["runs_expire_days"],
        abort_multipart_days=params["abort_multipart_days"],
    )
    want = bucket.wanted(params["env"], params["name"], params["tags"], lifecycle)
    return bucket.ensure_present(s3, params["name"], params["region"], want, check_mode=check_mode)


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
