"""What `ansible-doc` shows of a module is what the module takes: a comma at the wrong place splits a sentence into keys."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from reference import module_documentation

ROOT = Path(__file__).parents[3]
MODULES = sorted((ROOT / "library").glob("*.py"))
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
    documented, examples, returned = module_documentation(path)
    assert documented["module"] == path.stem
    options = documented["options"]
    for name, option in options.items():
        assert set(option) <= OPTION_KEYS, name
    for name, value in returned.items():
        assert set(value) <= RETURN_KEYS and value["description"], name
    assert returned["error_code"]["returned"] == "failure"
    for task in yaml.safe_load(examples):
        assert task["name"] and set(task[path.stem]) <= set(options)
    spec = module.ARGUMENT_SPEC
    assert set(options) == set(spec)
    for name, argument in spec.items():
        for key in ("type", "required", "choices", "elements", "default"):
            assert options[name].get(key) == argument.get(key), (name, key)


def test_ansible_doc_finds_the_fragments_through_ansible_cfg() -> None:
    names = [path.stem for path in MODULES]
    doc = Path(sys.executable).with_name("ansible-doc")
    said = subprocess.run([doc, "--json", "-t", "module", *names], cwd=ROOT, capture_output=True, text=True, check=True)
    shown = json.loads(said.stdout)
    for name in names:
        assert set(shown[name]["doc"]["options"]) == set(load(ROOT / "library" / f"{name}.py").ARGUMENT_SPEC), name
