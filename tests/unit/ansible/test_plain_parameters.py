"""What Ansible hands over becomes what boto3 takes: builtin types, and tags as text."""

from __future__ import annotations

from typing import Any

from ansible.parsing.dataloader import DataLoader

from chronos_training.ansible.module import plain


def types(value: Any) -> set[type]:
    if isinstance(value, dict):
        return {type(value)} | {kind for pair in value.items() for one in pair for kind in types(one)}
    if isinstance(value, list):
        return {type(value)} | {kind for one in value for kind in types(one)}
    return {type(value)}


def test_values_that_remember_their_file_are_values_of_builtin_types() -> None:
    text = "tags: {CostCenter: 4711, Team: a}\ndays: 14\nhours: 1.5\nzones: [a, b]\nfix: true\nnothing:\n"
    loaded = DataLoader().load(text, file_name="/inventory.yml")
    assert not types(loaded) <= {dict, list, str, int, float, bool, type(None)}  # Ansible's own types
    params = plain(loaded)
    assert types(params) == {dict, list, str, int, float, bool, type(None)}
    assert params["tags"] == {"CostCenter": "4711", "Team": "a"} and params["days"] == 14
