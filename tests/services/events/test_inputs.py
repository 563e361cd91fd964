"""What targets are given, by the examples of AWS's documents."""

from __future__ import annotations

import json

import pytest

from local_aws.services.events import inputs

EVENT = {
    "id": "1",
    "time": "2026-01-02T03:04:05Z",
    "source": "mine",
    "resources": ["r0", "r1"],
    "detail": {"instance-id": "i-1", "state": "RUNNING", "n": 3, "list": [1, {"x": "y"}], "say": 'a "b"'},
}


def transformed(template: str, **paths: str) -> str:
    target = {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}
    return inputs.text_for(target, EVENT, "the-rule", "arn:rule")


def test_all_a_constant_or_a_part() -> None:
    assert json.loads(inputs.text_for({}, EVENT, "", "")) == EVENT
    assert inputs.text_for({"Input": '{"a": 1}'}, EVENT, "", "") == '{"a": 1}'
    assert json.loads(inputs.text_for({"InputPath": "$.detail.list[1]"}, EVENT, "", "")) == {"x": "y"}
    assert inputs.text_for({"InputPath": "$.nothing"}, EVENT, "", "") == "{}"
    assert json.loads(inputs.text_for({"InputPath": "$"}, EVENT, "", "")) == EVENT


def test_templates() -> None:
    assert (
        transformed('"<i> is in state <s>"', i="$.detail.instance-id", s="$.detail.state")
        == '"i-1 is in state RUNNING"'
    )
    said = transformed('{"i": <i>, "n": <n>, "l": <l>, "in": "x <i>", "r": <r>}', i="$.detail.instance-id", n="$.detail.n",
                       l="$.detail.list", r="$.resources[1]")  # fmt: skip
    assert json.loads(said) == {"i": "i-1", "n": 3, "l": [1, {"x": "y"}], "in": "x i-1", "r": "r1"}
    assert json.loads(transformed('{"q": "<q>", "u": <q>}', q="$.detail.say")) == {"q": 'a "b"', "u": 'a "b"'}
    assert json.loads(transformed('{"a": <missing>, "b": "x<missing>"}', missing="$.detail.none")) == {
        "a": "",
        "b": "x",
    }
    said = transformed(
        '{"rule": <aws.events.rule-name>, "arn": "<aws.events.rule-arn>", "event": <aws.events.event.json>}'
    )
    assert json.loads(said) == {"rule": "the-rule", "arn": "arn:rule", "event": EVENT}
    assert transformed("<unknown> stays") == "<unknown> stays"


@pytest.mark.parametrize("path", ["detail", "$detail", "$.detail[", "$.detail[x]", "$..a"])
def test_no_paths(path: str) -> None:
    with pytest.raises(inputs.InvalidPath):
        inputs.check_path(path)
