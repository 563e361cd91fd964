"""Ansible inventory plugin: starts the embedded AWS on demand and points this Ansible process at it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: local_aws
short_description: Points Ansible at the embedded AWS, starting it on demand
description:
  - When an inventory with this plugin is parsed, the embedded AWS (C(python -m local_aws)) is started unless it runs, and
    the process environment of Ansible is set so that every later plugin, module and lookup talks to it.
  - C(AWS_PROFILE), session tokens and other sources of real credentials are removed from the environment, so no play of
    this inventory can touch a real account.
  - With C(LOCAL_AWS_ACCESS_KEY_ID) and C(LOCAL_AWS_SECRET_ACCESS_KEY), the keys of an IAM user of the embedded AWS, it acts
    as that user; with those of a role and C(LOCAL_AWS_SESSION_TOKEN) as that role. Without them it is the account's root.
  - It adds no hosts, groups or variables. Name its file so that it is parsed first, e.g. C(00_local_aws.yml).
options:
  plugin:
    description: The name of this plugin.
    required: true
    choices: [local_aws]
  region:
    description: The region that tools without one of their own use.
    type: str
    default: us-east-1
  level:
    description:
      - How real the instances are. C(process) is processes of this computer and works everywhere. C(namespace) runs the
        real cloud-init in a Debian root. C(nspawn) runs systemd as process 1; it needs root. C(qemu) is an emulated virtual
        machine, and slow. C(best) is the last one of the first three that works here. One that does not work here is replaced by the one before it, with a warning.
      - It is decided when the embedded AWS starts; C(make local-down) stops it.
    type: str
    choices: [process, namespace, nspawn, qemu, best]
    default: process
    env:
      - name: LOCAL_AWS_LEVEL
"""

EXAMPLES = r"""
plugin: local_aws
"""

import os
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent.parent


class InventoryModule(BaseInventoryPlugin):
    """Sets os.environ in Ansible's main process; workers and modules are forked from it and inherit it."""

    NAME = "local_aws"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("local_aws.yml", "local_aws.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        # The package lies at the repository's root, which is not on Ansible's search path.
        if str(REPOSITORY_ROOT) not in sys.path:
            sys.path.insert(0, str(REPOSITORY_ROOT))
        from local_aws import control, home

        where = home.current_home()
        try:
            server, new = control.start(where, self.get_option("level"), self._emit)
        except home.LocalAwsError as error:
            raise AnsibleParserError(str(error)) from error
        if new:
            self.display.v(f"embedded AWS started at {server.endpoint}, instances of level {server.level}")
        home.point_at(server.endpoint, os.environ, self.get_option("region"))

    def _emit(self, text: str) -> None:
        self.display.warning(f"embedded AWS: {text}")
