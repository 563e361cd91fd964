"""The frame of every module in `library/`: arguments in, one call, result or one sentence out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chronos_training.ansible import changes
from chronos_training.core.errors import TrainingError

Run = Callable[..., dict[str, Any]]


def call(run: Run, params: dict[str, Any], *, check_mode: bool, emit: Callable[[str], None]) -> dict[str, Any]:
    """Return the result of `run(params, check_mode=…, emit=…)` as Ansible takes it.

    A TrainingError becomes `failed` with its sentence, its `error_code`, and what was changed before it: `changed`, and `done` as
    a list.
    """
    with changes.recorded() as done:
        try:
            return {"changed": False, **run(plain(params), check_mode=check_mode, emit=emit)}
        except TrainingError as error:
            failure = {"failed": True, "msg": str(error), "error_code": error.code, "changed": bool(done), "done": done}
            return {**failure, **error.facts}


def plain(params: dict[str, Any]) -> dict[str, Any]:
    """Return a module's parameters as boto3 takes them: builtin types only, and tags as text.

    Ansible hands over types of its own that remember where a value was written. A tag that YAML read as a number is text
    to AWS.
    """
    values: dict[str, Any] = _plain(params)
    if isinstance(values.get("tags"), dict):
        values["tags"] = {key: str(value) for key, value in values["tags"].items()}
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        return str.__str__(value)
    for kind in (int, float):
        if isinstance(value, kind) and not isinstance(value, bool):
            return kind(value)
    return value


def main(module_class: Any, argument_spec: dict[str, Any], run: Run) -> None:
    """Run `run(params, check_mode=…, emit=…)` as an Ansible module. A TrainingError becomes fail_json without traceback.

    `module_class` is AnsibleModule. The module has to import it itself: Ansible looks for that import in its source to
    know how to hand over the parameters.
    """
    module = module_class(argument_spec=argument_spec, supports_check_mode=True)
    messages: list[str] = []
    result = {**call(run, module.params, check_mode=module.check_mode, emit=messages.append), "messages": messages}
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
