"""Ansible module: prove that nothing is left running."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_orphans_info
short_description: Prove that nothing is left of past training runs
description:
  - Lists instances, volumes, network interfaces, snapshots and addresses by their tags, and looks at the lock.
  - Fails when something exists that belongs to no active run, or when the lock has no living owner.
  - Completes C(cleanup_status.json) of the newest ended run with the inventory after its end.
options:
  env: {type: str, required: true, description: Environment.}
  project: {type: str, required: true, description: Value of the Project tag.}
  region: {type: str, description: AWS region; default is the one of the AWS environment.}
  wait_seconds: {type: float, default: 120, description: How long to wait for what is being terminated.}
author: Chronos Training
"""

EXAMPLES = r"""
- name: Is anything left?
  training_orphans_info:
    env: dev
    project: Chronos-Training
"""

RETURN = r"""
clean: {type: bool, returned: success, description: Nothing is left over.}
orphans: {type: list, elements: dict, returned: success, description: What is left over.}
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.control.module import main
from chronos_training.control.settings import resolve_settings
from chronos_training.control.verify import complete_cleanup_status, table, verify
from chronos_training.core import aws
from chronos_training.core.errors import TrainingError

ARGUMENT_SPEC: dict[str, Any] = {
    "env": {"type": "str", "required": True},
    "project": {"type": "str", "required": True},
    "region": {"type": "str"},
    "wait_seconds": {"type": "float", "default": 120},
}


def run(params: dict[str, Any], *, check_mode: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Look for orphans; see RETURN."""
    env = params["env"]
    settings = resolve_settings(env, region=params["region"])
    verdict = verify(
        env,
        params["project"],
        settings.region,
        settings.bucket,
        wait_seconds=0 if check_mode else params["wait_seconds"],
    )
    for line in table(verdict):
        say(line)
    if not check_mode:
        complete_cleanup_status(aws.client("s3", region=settings.region), settings.bucket, env, verdict)
    if not verdict.clean:
        names = [f"{r.kind} {r.resource_id}" for r in verdict.orphans] + (
            [verdict.dead_lock] if verdict.dead_lock else []
        )
        raise TrainingError(
            f"Left over in {env}: {'; '.join(names)}.", hint="End it: ansible-playbook playbooks/kill_training.yml."
        )
    return {"changed": False, "clean": True, "orphans": [dataclasses.asdict(r) for r in verdict.orphans]}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
