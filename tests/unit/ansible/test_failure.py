"""A module that fails: the sentence is for people, the code for programs."""

from __future__ import annotations

from typing import Any

from chronos_training.ansible.module import call
from chronos_training.core.errors import ConfigurationError, TrainingError


def failing_with(error: TrainingError) -> dict[str, Any]:
    def run(params: dict[str, Any], *, check_mode: bool, emit: Any) -> dict[str, Any]:
        raise error

    return call(run, {}, check_mode=False, emit=[].append)


def test_the_code_stands_beside_the_sentence() -> None:
    assert failing_with(ConfigurationError("The value 3 is too small.", hint="Give 4.")) == {
        "failed": True,
        "msg": "The value 3 is too small. Give 4.",
        "error_code": "configuration_invalid",
        "changed": False,
        "done": [],
    }


def test_what_the_error_tells_of_itself_is_added() -> None:
    error = TrainingError("Something is left.", code="orphans_found")
    error.facts = {"findings": ["i-1"]}
    result = failing_with(error)
    assert (result["error_code"], result["findings"]) == ("orphans_found", ["i-1"])
