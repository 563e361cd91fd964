#!/usr/bin/python
"""Ansible module: who am I in AWS, and what is the environment's bucket called."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_account_info
short_description: Find the AWS account of the current credentials and the name of the environment's bucket
description:
  - Asks STS for the account. Fails with one sentence when there are no credentials, or they have expired.
  - Resolves the name of the environment's bucket, which is C(chronos-training-<env>-<account>-<region>) unless given.
options:
  bucket:
    description: The bucket's name, if it is not the default one.
    type: str
    default: ""
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Find the account
  training_account_info:
    env: dev
    region: us-east-1
  register: account
"""

RETURN = r"""
account_id:
  description: The account's twelve digits.
  type: str
  returned: success
  sample: "123456789012"
arn:
  description: ARN of the user or role that the credentials belong to.
  type: str
  returned: success
  sample: arn:aws:iam::123456789012:user/ada
bucket:
  description: The resolved name of the bucket.
  type: str
  returned: success
  sample: chronos-training-dev-123456789012-us-east-1
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.core import aws, layout

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "bucket": {"type": "str", "default": ""},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Return the account, the caller and the bucket's name. Reads only, so check mode is no different."""
    sts = aws.client("sts", region=params["region"])
    with aws.explained(f"find the AWS account of environment {params['env']}"):
        caller = sts.get_caller_identity()
    bucket = params["bucket"] or layout.bucket_name(params["env"], caller["Account"], params["region"])
    return {"changed": False, "account_id": caller["Account"], "arn": caller["Arn"], "bucket": bucket}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
