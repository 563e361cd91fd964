"""Ansible module: bring a run's results to this machine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_results
short_description: Fetch the results of a training run
description:
  - Downloads artifacts, records and logs of a run; every artifact is checked against the sha256 that the run stored.
  - A file that exists and is correct is not downloaded again.
options:
  run_id: {type: str, description: Run to fetch; default is the newest.}
  folder: {type: path, required: true, description: Folder below which C(<env>/<run_id>) is made.}
  logs: {type: bool, default: true, description: Fetch the logs too.}
extends_documentation_fragment: [training.environment]
author: Chronos Training
"""

EXAMPLES = r"""
- name: Fetch the newest run
  training_results:
    env: dev
    folder: results
"""

RETURN = r"""
run_id: {type: str, returned: success, description: Id of the run.}
path: {type: str, returned: success, description: Folder of the run on this machine.}
report: {type: str, returned: when there is one, description: Path of the report.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible.arguments import ENVIRONMENT
from chronos_training.ansible.module import main
from chronos_training.control.options.settings import resolve_settings
from chronos_training.control.registry.results import fetch_run, summary_lines
from chronos_training.control.registry.runs import checked_run_id, run_ids
from chronos_training.core import aws
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    "run_id": {"type": "str"},
    "folder": {"type": "path", "required": True},
    "logs": {"type": "bool", "default": True},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Fetch the run; see RETURN."""
    env = params["env"]
    settings = resolve_settings(env, region=params["region"])
    s3 = aws.client("s3", region=settings.region)
    if params["run_id"]:
        run_id = checked_run_id(env, params["run_id"])
    else:
        run_id = next(iter(run_ids(s3, settings.bucket, env, limit=1)), "")
    if not run_id:
        raise TrainingError(
            f"There has been no run in {env} yet.",
            hint=f"Start one: {playbook(env, 'launch_training')}",
            code="run_not_found",
        )
    target = Path(params["folder"]) / env / run_id
    if check_mode:
        emit(f"would fetch run {run_id} into {target}")
        return {"changed": not target.exists(), "run_id": run_id, "path": str(target)}
    new = fetch_run(s3, settings.bucket, env, run_id, target, logs=params["logs"], emit=emit)
    for line in summary_lines(target):
        emit(line)
    report = target / "report.html"
    return {
        "changed": bool(new),
        "run_id": run_id,
        "path": str(target),
        **({"report": str(report)} if report.exists() else {}),
    }


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
