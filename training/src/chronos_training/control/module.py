"""The frame of every module in `library/`: arguments in, one call, result or one sentence out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chronos_training.core.errors import TrainingError

Run = Callable[..., dict[str, Any]]


def main(module_class: Any, argument_spec: dict[str, Any], run: Run) -> None:
    """Run `run(params, check_mode=…, say=…)` as an Ansible module. A TrainingError becomes fail_json without traceback.

    `module_class` is AnsibleModule. The module has to import it itself: Ansible looks for that import in its source to
    know how to hand over the parameters.
    """
    module = module_class(argument_spec=argument_spec, supports_check_mode=True)
    messages: list[str] = []
    try:
        result = run(module.params, check_mode=module.check_mode, say=messages.append)
    except TrainingError as error:
        module.fail_json(msg=str(error), messages=messages, **error.facts)
    module.exit_json(**{"changed": False, "messages": messages, **result})
