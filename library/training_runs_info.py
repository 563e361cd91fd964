"""Ansible module: list past runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_runs_info
short_description: List the training runs of an environment
description:
  - Finds the runs by their S3 prefixes; there is no registry.
options:
  env: {type: str, required: true, description: Environment.}
  region: {type: str, description: AWS region; default is the one of the AWS environment.}
  limit: {type: int, default: 20, description: How many of the newest runs.}
author: Chronos Training
"""

EXAMPLES = r"""
- name: List the last five runs
  training_runs_info:
    env: dev
    limit: 5
"""

RETURN = r"""
runs: {type: list, elements: dict, returned: success, description: "The runs, newest first; latest says whose model is the newest recommended one of its name."}
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.control.module import main
from chronos_training.control.runs import list_runs, table
from chronos_training.control.settings import resolve_settings
from chronos_training.core import aws
from chronos_training.core.store import open_store

ARGUMENT_SPEC: dict[str, Any] = {
    "env": {"type": "str", "required": True},
    "region": {"type": "str"},
    "limit": {"type": "int", "default": 20},
}


def run(params: dict[str, Any], *, check_mode: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """List the runs; see RETURN."""
    env = params["env"]
    settings = resolve_settings(env, region=params["region"])
    observed = open_store(settings.bucket, env, region=settings.region).read()
    active = dataclasses.asdict(observed.record) if observed else None
    runs = list_runs(aws.client("s3", region=settings.region), settings.bucket, env, params["limit"], active)
    for line in table(runs) if runs else [f"there are no runs in {env}"]:
        say(line)
    return {"changed": False, "runs": [dataclasses.asdict(run) for run in runs]}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
