#!/usr/bin/python
"""Ansible module: the volatility stack's bucket."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_bucket
short_description: Make the volatility stack's bucket right, or delete it
description:
  - Closed to the public, encrypted with the stack's key, with versions and lifecycle rules. Its policy refuses requests without
    TLS and objects under another key. Writes only the properties that differ.
options:
  name: {type: str, required: true, description: The bucket's name.}
  state:
    description: C(absent) deletes the bucket with everything in it, versions too. This cannot be undone.
    type: str
    choices: [present, absent]
    default: present
  key_arn: {type: str, default: "", description: ARN of the key that objects are encrypted with.}
  snapshot_days: {type: int, default: 400, description: Age at which snapshots of tables are deleted.}
  upload_days: {type: int, default: 7, description: Age at which uploads that were never completed are removed.}
  tags: {type: dict, default: {}, description: Tags of the bucket; those of others stay.}
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Make the bucket
  volatility_bucket:
    name: volatility-dev-123456789012-us-east-1
    env: dev
    region: us-east-1
    key_arn: arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
    tags: "{{ volatility_tags }}"
"""

RETURN = r"""
bucket: {type: str, returned: success, description: The bucket's name.}
aspects:
  description: The properties that were written, or would be.
  type: list
  elements: str
  returned: when present
  sample: [versioning]
objects: {type: int, returned: when absent, description: How many objects were deleted.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.provision.bucket import ensure_absent
from chronos_training.control.volatility import bucket
from chronos_training.core import aws

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "key_arn": {"type": "str", "default": ""},
    "snapshot_days": {"type": "int", "default": 400},
    "upload_days": {"type": "int", "default": 7},
    "tags": {"type": "dict", "default": {}},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Make or delete the bucket. Returns changed, diff and what was written."""
    s3, name = aws.client("s3", region=params["region"]), params["name"]
    if params["state"] == "absent":
        return {**ensure_absent(s3, name, check_mode=check_mode), "bucket": name}
    want = bucket.wanted(
        name,
        params["key_arn"],
        params["tags"],
        snapshot_days=params["snapshot_days"],
        upload_days=params["upload_days"],
    )
    return {**bucket.ensure_present(s3, name, params["region"], want, check_mode=check_mode), "bucket": name}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
