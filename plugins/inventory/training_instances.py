"""Ansible inventory plugin: leaves EC2 alone where nobody looks at the instances."""

from __future__ import annotations

DOCUMENTATION = r"""
name: training_instances
short_description: Asks EC2 for instances only when the inventory is shown
description:
  - Every play of this project runs on C(localhost); the instances of C(aws_ec2.yml) are there to be looked at, with
    C(ansible-inventory). Asking EC2 for them would cost each playbook a third of a second and a request.
  - In a playbook it takes C(aws_ec2.yml) and adds nothing. In C(ansible-inventory) it leaves the file to
    C(amazon.aws.aws_ec2), which has to come after it in C(enable_plugins).
options: {}
"""

EXAMPLES = r"""
# ansible.cfg
# [inventory]
# enable_plugins = training_instances, amazon.aws.aws_ec2, yaml
"""

from pathlib import PurePath
from typing import Any

from ansible import context
from ansible.plugins.inventory import BaseInventoryPlugin

FILES = ("aws_ec2.yml", "aws_ec2.yaml")
# Options that only ansible-inventory has, and of which it takes one.
SHOWN_BY = ("list", "graph", "host")


class InventoryModule(BaseInventoryPlugin):
    """See DOCUMENTATION."""

    NAME = "training_instances"

    def verify_file(self, path: str) -> bool:
        """Return whether `path` names instances that nobody looks at."""
        shown = any(context.CLIARGS.get(option) for option in SHOWN_BY)
        return super().verify_file(path) and PurePath(path).name in FILES and not shown

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add nothing."""
        super().parse(inventory, loader, path, cache)
