"""Ansible module: list past runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_runs_info
short_description: List or compare the training runs of an environment
description:
  - Finds the runs by their S3 prefixes; there is no registry.
  - With C(compare) it shows some of them side by side, with their differences in configuration and their scores.
options:
  limit: {type: int, default: 20, description: How many of the newest runs.}
  compare: {type: list, elements: str, default: [], description: Ids of two to four runs to show side by side.}
extends_documentation_fragment: [training.environment]
author: Chronos Training
"""

EXAMPLES = r"""
- name: List the last five runs
  training_runs_info:
    env: dev
    limit: 5

- name: Compare two runs
  training_runs_info:
    env: dev
    compare: [20260101-120000, 20260102-120000]
"""

RETURN = r"""
runs: {type: list, elements: dict, returned: success, description: "The runs, newest first; latest says whose model is the newest recommended one of its name. With compare: those, in its order."}
total_cost_usd: {type: float, returned: without compare, description: "Total known cost of the runs in US dollars."}
configuration: {type: dict, returned: with compare, description: "What differs, by its key: a value for each run."}
metrics: {type: dict, returned: with compare, description: "Scores by their names: a value for each run, null where it has none."}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import ENVIRONMENT
from chronos_training.ansible.module import main
from chronos_training.control.options.settings import resolve_settings
from chronos_training.control.registry.compare import compare
from chronos_training.control.registry.runs import list_runs, table
from chronos_training.core import aws
from chronos_training.core.store import open_store

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    "limit": {"type": "int", "default": 20},
    "compare": {"type": "list", "elements": "str", "default": []},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """List or compare the runs; see RETURN."""
    env = params["env"]
    settings = resolve_settings(env, region=params["region"])
    observed = open_store(settings.bucket, env, region=settings.region).read()
    active = dataclasses.asdict(observed.record) if observed else None
    s3 = aws.client("s3", region=settings.region)
    if params["compare"]:
        comparison = compare(s3, settings.bucket, env, params["compare"], active)
        for line in comparison.lines():
            emit(line)
        shown = {"configuration": comparison.configuration, "metrics": comparison.metrics}
        return {"changed": False, "runs": [dataclasses.asdict(run) for run in comparison.runs], **shown}
    runs = list_runs(s3, settings.bucket, env, params["limit"], active)
    for line in table(runs) if runs else [f"there are no runs in {env}"]:
        emit(line)
    total = sum(run.cost_usd for run in runs if run.cost_usd is not None)
    return {"changed": False, "runs": [dataclasses.asdict(run) for run in runs], "total_cost_usd": total}


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
