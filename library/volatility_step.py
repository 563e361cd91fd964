#!/usr/bin/python
"""Ansible module: run a day of the chain, or one of its functions."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volatility_step
short_description: Run a day of the chain, or one of its functions
description:
  - C(day) runs the whole chain, once for each day of a range, in their order, and waits for it. Another step calls its function.
  - Each finds what is done already. In check mode nothing is called.
  - An execution goes on when this is interrupted. A day that is no session fails; in a range it is left out.
options:
  step:
    description: What is run.
    type: str
    choices: [day, ingest, features, gate, infer, check]
    required: true
  target:
    description: The ARN of the chain, or the function's name.
    type: str
    required: true
  first:
    description: The session, or the first day of a range; empty for the one that is due now.
    type: str
    default: ""
  last:
    description: The last day of the range.
    type: str
    default: ""
  train:
    description: Whether each day trains, also one that does not end a week.
    type: bool
    default: false
  reason:
    description: Why stored prices change, or all features are made again; for the history.
    type: str
    default: ""
  event:
    description: What a function is told besides.
    type: dict
    default: {}
  logs:
    description: The log groups, by step; a failure names the one that tells more.
    type: dict
    default: {}
  poll_seconds:
    description: How often an execution is looked at.
    type: float
    default: 5
extends_documentation_fragment: [training.in_region]
author:
  - Chronos Training developers
"""

EXAMPLES = r"""
- name: Forecast a day again
  volatility_step:
    env: dev
    region: us-east-1
    step: day
    target: "{{ volatility_chain_arn }}"
    first: "2018-12-07"
"""

RETURN = r"""
answers: {type: dict, returned: success, description: "By day (now, for the one that is due) what the chain or the function answered."}
said: {type: list, elements: str, returned: success, description: The same in sentences.}
error_code: {type: str, returned: failure, description: "The cause, as a word for programs; docs/errors.md lists them."}
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# By this import Ansible recognises a Python module, and ships its own module library with it.
from chronos_training.ansible.arguments import IN_REGION
from chronos_training.ansible.module import main
from chronos_training.control.volatility import running
from chronos_training.core import commands
from chronos_training.core.clock import utc_now

ARGUMENT_SPEC: dict[str, Any] = {
    **IN_REGION,
    "step": {"type": "str", "choices": ["day", "ingest", "features", "gate", "infer", "check"], "required": True},
    "target": {"type": "str", "required": True},
    "first": {"type": "str", "default": ""},
    "last": {"type": "str", "default": ""},
    "train": {"type": "bool", "default": False},
    "reason": {"type": "str", "default": ""},
    "event": {"type": "dict", "default": {}},
    "logs": {"type": "dict", "default": {}},
    "poll_seconds": {"type": "float", "default": 5},
}


def run(params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Run it for each day. Returns changed, the answers, and what they say."""
    days = running.days(params["first"], params["last"]) if params["first"] or params["last"] else [""]
    target = running.Target(params["env"], params["region"], params["step"], params["target"], params["logs"])
    running.require(target)
    if check_mode:
        emit(_foretold(params, days))
        return {"changed": True, "answers": {}, "said": [], "days": days}
    given = {name: params[name] for name in ("reason", "train")}
    events = {day or "now": running.event(utc_now(), day=day, more=params["event"], **given) for day in days}
    answers = running.run_days(
        target, events, lambda day: _again(params, day), poll_seconds=params["poll_seconds"], emit=emit
    )
    return {"changed": True, "answers": answers, "said": running.told(answers)}


def _foretold(params: dict[str, Any], days: list[str]) -> str:
    """Return what would be done, as a sentence."""
    if "promote" in params["event"]:
        return f"Would let {params['event']['promote']} serve, if it is stored."
    if "rollback" in params["event"]:
        return f"Would let {params['event']['rollback'] or 'the version before'} serve again."
    what = "the chain" if params["step"] == running.DAY else f"the step {params['step']}"
    named = "the last session" if days == [""] else ", ".join(days)
    left_out = "; what of it is no session is left out" if len(days) > 1 else ""
    return f"Would run {what} for {named}{left_out}."


def _again(params: dict[str, Any], day: str) -> str:
    """Return the command that resumes on a day, nothing for a decision about the model."""
    if {"promote", "rollback"} & params["event"].keys():
        return ""
    given = {
        "step": params["step"] if params["step"] != running.DAY else "",
        "date": "" if day == "now" else day,
        "last": params["last"] if params["last"] != day else "",
        "train": params["train"],
        "reason": params["reason"],
    }
    variables = {f"volatility_run_{name}": value for name, value in given.items() if value}
    return commands.playbook(params["env"], "run_volatility", **variables)


if __name__ == "__main__":
    main(AnsibleModule, ARGUMENT_SPEC, run)
