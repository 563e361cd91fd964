#!/usr/bin/python
"""Ansible module: the volatility stack's account, its settings, and the network it may use."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_account_info
short_description: Find the AWS account, what the volatility stack published, and the training stack's network
description:
  - Asks STS for the account, and SSM for the parameters below C(/volatility/<env>/) and the training stack's network.
  - Fails with one sentence when there are no credentials, or they have expired. What is not provisioned is empty.
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Find the account and what was published
  volatility_account_info:
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
settings:
  description: The parameters below C(/volatility/<env>/), by their last part.
  type: dict
  returned: success
  sample: {bucket: volatility-dev-123456789012-us-east-1}
vpc_id:
  description: The training stack's VPC, or nothing.
  type: str
  returned: success
  sample: vpc-0123456789abcdef0
network_command: {type: str, returned: success, description: The command that makes the training stack's network.}
stack_command: {type: str, returned: success, description: The command that provisions this stack.}
images_command: {type: str, returned: success, description: The command that publishes its images.}
subnet_ids:
  description: The training stack's public subnets.
  type: list
  elements: str
  returned: success
  sample: [subnet-0123456789abcdef0]
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import settings

ARGUMENT_SPEC: dict[str, Any] = {**IN_REGION}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Return the account, the caller and the settings. Reads only, so check mode is no different."""
    return {"changed": False, **settings.account(params["env"], params["region"])}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
