"""Ansible module: prove that nothing is left of past runs, or end what is."""

from __future__ import annotations

DOCUMENTATION = r"""
module: training_cleanup
short_description: Verify that nothing is left of past training runs, or remove what is
description:
  - Looks for instances, volumes, network interfaces, snapshots, addresses and Spot requests by their tags (C(Project)
    and C(Environment), both), for termination schedules, for uploads in parts, and at the lock. It trusts no
    record of its own.
  - What the active run uses is shown and never touched.
  - Waits for resources that are being removed, and checks again when a run has just ended, because EC2 shows changes late.
    An instance that EC2 is ending (C(shutting-down)) is shown as going, and is not waited for.
  - Completes C(cleanup_status.json) of ended runs with the inventory after their end, unless in check mode.
options:
  state:
    type: str
    choices: [verified, fixed]
    default: verified
    description:
      - C(verified) looks only, and fails when anything is left over.
      - C(fixed) removes what is left over, provably ours and of no run that may be alive, checks again, and fails when anything is
        still there. In check mode it says what it would remove, and fails when something would remain.
      - What C(fixed) removed is recorded as an event in the environment's audit log.
  regions: {type: list, elements: str, default: [], description: Regions to search; default is the environment's own.}
  wait_seconds: {type: float, default: 900, description: How long to wait for resources that are being removed.}
extends_documentation_fragment: [training.environment, training.project]
author: Chronos Training
"""

EXAMPLES = r"""
- name: Is anything left?
  training_cleanup:
    env: dev
    project: Chronos-Training

- name: End it
  training_cleanup:
    state: fixed
    env: dev
    project: Chronos-Training
    regions: [us-east-1, eu-central-1]
"""

RETURN = r"""
clean:
  type: bool
  returned: success
  description: Nothing is left over, or in check mode of C(fixed) nothing would be.
active_run: {type: str, returned: when a run is active, description: Id of the run that may be at work.}
orphans:
  type: list
  elements: dict
  returned: success
  description: What was left over at first, each with kind, resource_id, state, run_id, detail, attached_to, region.
going:
  type: list
  elements: dict
  returned: success
  description:
    - What EC2 is terminating, in the form of C(orphans). EC2 has accepted it and no longer bills it, so it is not
      left over, unless it takes longer than 15 minutes.
ended: {type: list, elements: str, returned: state=fixed, description: What was (or would be) removed.}
cleanup_status: {type: list, elements: str, returned: success, description: Keys of the records that were completed.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from chronos_training.ansible import changes
from chronos_training.ansible.arguments import ENVIRONMENT, PROJECT
from chronos_training.ansible.module import main
from chronos_training.control.options.settings import resolve_settings
from chronos_training.control.orphans.classify import OrphanReport
from chronos_training.control.orphans.cleanup_status import complete
from chronos_training.control.orphans.end_orphans import endable, fix
from chronos_training.control.orphans.snapshot import Scope
from chronos_training.control.orphans.verify import Verdict, short, table, verify
from chronos_training.control.registry import audit
from chronos_training.core import aws, commands
from chronos_training.core.errors import TrainingError
from chronos_training.core.inventory import as_dict

ARGUMENT_SPEC: dict[str, Any] = {
    **ENVIRONMENT,
    **PROJECT,
    "state": {"type": "str", "choices": ["verified", "fixed"], "default": "verified"},
    "regions": {"type": "list", "elements": "str", "default": []},
    "wait_seconds": {"type": "float", "default": 900},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Look for what is left over, and end it when asked to; see RETURN."""
    settings = resolve_settings(params["env"], region=params["region"])
    regions = tuple(dict.fromkeys(params["regions"] or [settings.region]))
    scope = Scope(params["env"], params["project"], settings.region, regions, settings.bucket)
    first = verify(scope, params["wait_seconds"], emit)
    for line in table(first):
        emit(line)
    result: dict[str, Any] = {
        "changed": False,
        "orphans": [as_dict(f.resource) for f in first.orphans],
        "going": [as_dict(f.resource) for f in first.going],
        "cleanup_status": [],
    }
    if first.active is not None:
        result["active_run"] = first.active.record.run_id
    if params["state"] == "fixed":
        fixed = _preview(first, emit) if check_mode else _fix(first, params["wait_seconds"], emit)
        last, result["ended"], reasons = fixed
        result["changed"] = bool(result["ended"])
        result["diff"] = _diff(first, [f for f in last.orphans if not (check_mode and short(f) in result["ended"])])
    else:
        last, reasons = first, {short(f): f.blocked or _passing(f) for f in first.orphans}
    if not check_mode:
        with changes.not_counted():
            result["cleanup_status"] = complete(aws.client("s3", region=settings.region), first, last, emit)
    if reasons:
        raise _left_over(params, last, reasons)
    return {**result, "clean": True}


def _preview(first: Verdict, emit: Callable[[str], None]) -> tuple[Verdict, list[str], dict[str, str]]:
    names = [short(f) for f in endable(first)]
    for name in names:
        emit(f"would end {name}")
    return first, names, {short(f): f.blocked for f in first.orphans if f.blocked}


def _fix(first: Verdict, wait: float, emit: Callable[[str], None]) -> tuple[Verdict, list[str], dict[str, str]]:
    if first.clean:
        return first, [], {}
    scope = first.scope
    with audit.recorded(audit.Log(scope.bucket, scope.env, scope.region, emit), audit.FIX) as entry:
        last, ended, reasons = fix(first, wait, emit)
        entry.details = {"ended": ended, "left": reasons}
        entry.message = f"ended {', '.join(ended) or 'nothing'}"
        entry.nothing_done = not ended
    for line in table(last):
        emit(line)
    return last, ended, reasons


def _diff(first: Verdict, left: list[OrphanReport]) -> dict[str, str]:
    before, after = ("".join(f"{f.name}\n" for f in reports) for reports in (first.orphans, left))
    return {"before": before, "after": after}


def _passing(report: OrphanReport) -> str:
    return "on its way out" if report.passing else ""


def _left_over(params: dict[str, Any], last: Verdict, reasons: dict[str, str]) -> TrainingError:
    """Return the error that names everything that is left, why, and the one next command."""
    names = {short(f): f.name for f in last.orphans}
    parts = [f"{names.get(name, name)}{': ' + why if why else ''}" for name, why in reasons.items()]
    hint = f"End what is provably ours and dead: {commands.fix(params['env'])}"
    if params["state"] == "fixed":
        hint = "Inspect each in the AWS console; nothing of another owner was touched."
    elif not endable(last):
        hint = "None of it may be removed from here now."
    return TrainingError(f"Left over in {params['env']}: {'; '.join(parts)}.", hint=hint, code="orphans_found")


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
