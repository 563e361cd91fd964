"""What `ansible-doc` shows of a module is what the module takes: a comma at the wrong place splits a sentence into keys."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

MODULES = sorted((Path(__file__).parents[3] / "library").glob("*.py"))
OPTION_KEYS = {"type", "required", "default", "choices", "elements", "description", "suboptions", "aliases", "no_log"}
RETURN_KEYS = {"type", "elements", "returned", "description", "sample", "contains"}


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"documented_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_documentation_and_arguments_agree(path: Path) -> None:
    module = load(path)
    documented = yaml.safe_load(module.DOCUMENTATION)
    assert documented["module"] == path.stem
    options = documented["options"]
    for name, option in options.items():
        assert set(option) <= OPTION_KEYS, name
    for name, returned in (yaml.safe_load(module.RETURN) or {}).items():
        assert set(returned) <= RETURN_KEYS and returned["description"], name
    for task in yaml.safe_load(module.EXAMPLES):
        assert task["name"] and set(task[path.stem]) <= set(options)
    spec = getattr(module, "ARGUMENT_SPEC", None)
    if spec is None:
        return  # older modules keep theirs inside main()
    assert set(options) == set(spec)
    for name, argument in spec.items():
        for key in ("type", "required", "choices", "elements", "default"):
            assert options[name].get(key) == argument.get(key), (name, key)
