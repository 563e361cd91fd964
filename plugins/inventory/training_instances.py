"""Ansible inventory plugin: the training instances from EC2, through amazon.aws.aws_ec2, where somebody wants to see them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: training_instances
short_description: Training instances from EC2, by the amazon.aws.aws_ec2 inventory plugin
description:
  - Takes the configuration file of P(amazon.aws.aws_ec2#inventory) as it is, and has that plugin read it.
  - The playbooks of this project run on C(localhost) only, and ask EC2 themselves for what they need. For them AWS is not
    asked here, so that each of them can say in its own words what it could not do, and help needs no credentials.
  - For everything else (C(ansible-inventory), C(ansible), other playbooks) a refusal of AWS is one sentence, and the end.
options:
  plugin:
    description: The name of the plugin that reads the file.
    required: true
    choices: [amazon.aws.aws_ec2]
"""

EXAMPLES = r"""
plugin: amazon.aws.aws_ec2
regions: [us-east-1]
filters:
  tag:Project: Chronos-Training
"""

import contextlib
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.plugins.loader import inventory_loader

STOCK = "amazon.aws.aws_ec2"
PLAYBOOKS = Path(__file__).resolve().parent.parent.parent / "playbooks"


class InventoryModule(BaseInventoryPlugin):
    """Stands before the collection's plugin, as Ansible's own `auto` does before any."""

    NAME = "training_instances"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("aws_ec2.yml", "aws_ec2.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        if _for_our_playbooks():
            self.display.v(f"{path}: the playbooks of this project need no hosts of EC2, which is not asked")
            return
        stock = inventory_loader.get(STOCK)
        inventory._target_plugin = stock  # what Ansible checks is that plugin's, as in `auto`
        try:
            stock.parse(inventory, loader, path, cache=cache)
            with contextlib.suppress(AttributeError):  # without the option `cache` it has none
                stock.update_cache_if_changed()
        except AnsibleError as error:
            told = _of_aws(error)
            if told is None:
                raise
            from chronos_training.core import aws

            # Raised, it would be told as the failure of each plugin in turn, and of the file, in sixteen lines.
            self.display.error(str(aws.explain(told, f"list the instances for {path}")), wrap_text=False)
            raise SystemExit(1) from error


def _for_our_playbooks() -> bool:
    """Return whether this is ansible-playbook, which alone knows `start_at_task`, with playbooks of this project only."""
    given = context.CLIARGS.get("args") if "start_at_task" in context.CLIARGS else None
    return bool(given) and all(Path(one).resolve().parent == PLAYBOOKS for one in given)


def _of_aws(error: BaseException | None) -> Exception | None:
    """Return AWS's error in what led to `error`: the collection puts it into words and leaves it as the context."""
    from botocore.exceptions import BotoCoreError, ClientError  # only here: the playbooks read boto3 while a task works

    while error is not None:
        if isinstance(error, (ClientError, BotoCoreError)):
            return error
        error = error.__cause__ or error.__context__
    return None
