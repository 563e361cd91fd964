"""The run spec: one reader, one writer, and documents of before there was this class are still read."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronos_training.core.errors import TrainingError
from chronos_training.core.run_spec import (
    BaseModelSpec,
    DatasetSpec,
    InstanceSpec,
    LimitsSpec,
    ResumeSpec,
    RunSpec,
    RuntimeSpec,
    read_file,
)
from tests.run_specs import run_spec

# Bodies that launches stored before this class wrote them: of a training that resumed, and of a probe.
STORED = ("run_spec_resumed.json", "run_spec_probe.json")


def stored(name: str) -> bytes:
    return Path(__file__).with_name(name).read_bytes()


def whole(kind: Any, **parts: Any) -> st.SearchStrategy[Any]:
    """Give objects of a dataclass with a value in every field."""
    return st.builds(kind, **{field.name: ... for field in dataclasses.fields(kind)} | parts)


DOLLARS = st.none() | st.floats(0, 1e6)
OBJECT = st.dictionaries(
    st.text(),
    st.recursive(st.none() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)),
)
SPECS = whole(
    RunSpec,
    schema_version=st.just(1),
    training=OBJECT,
    dataset=st.none() | whole(DatasetSpec),
    base_model=st.none() | whole(BaseModelSpec),
    resume=st.none() | whole(ResumeSpec),
    runtime=whole(RuntimeSpec, python_env=st.none() | OBJECT, package=st.none() | OBJECT),
    instance=whole(
        InstanceSpec,
        price_per_hour_usd=DOLLARS,
        prices_per_hour_usd=st.dictionaries(st.text(), st.dictionaries(st.text(), DOLLARS)),
        request_prices_usd=st.none() | st.dictionaries(st.text(), st.floats(0, 1)),
        reference_price_per_hour_usd=DOLLARS,
    ),
    limits=whole(LimitsSpec, deadline_seconds=st.floats(0, 1e6), max_cost_usd=DOLLARS),
)


@given(SPECS)
def test_what_is_written_is_read_back_the_same_to_the_byte(spec: RunSpec) -> None:
    again = RunSpec.from_json(spec.body(), "here")
    assert again == spec
    assert again.body() == spec.body() and again.sha256 == hashlib.sha256(spec.body()).hexdigest()


@pytest.mark.parametrize("name", STORED)
def test_what_earlier_launches_stored_is_read_and_would_be_written_the_same(name: str) -> None:
    spec = RunSpec.from_json(stored(name), name)
    assert spec.body() == stored(name)
    assert spec.probe == ("probe" in name)


def test_keys_that_it_does_not_know_are_left_out() -> None:
    content = json.loads(run_spec().body())
    content["instance"] |= {"colour": "grey"}
    assert RunSpec.from_json(json.dumps(content | {"more": 1}), "here") == run_spec()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema_version": 2}, "schema_version 2, this program reads 1"),
        ({"schema_version": None}, "schema_version None"),
        ({"training": None}, "its key training is None, not of type dict"),
        ({"dataset": {"name": "panel"}}, "its key dataset has no manifest_key"),
        ({"instance": {"count": "two"}}, "its key instance.count is 'two', not of type int"),
        (
            {"resume": {"run_id": "x", "prefix": "x", "step": 1, "files": [1]}},
            "its key resume.files is 1, not an object",
        ),
    ],
)
def test_what_it_cannot_read_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    body = json.dumps(json.loads(run_spec().body()) | change)
    with pytest.raises(TrainingError, match=f"s3://b/k is not a run spec of this program: .*{says}") as caught:
        RunSpec.from_json(body, "s3://b/k")
    assert caught.value.code == "record_invalid"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(TrainingError, match="is not a run spec of this program"):
        RunSpec.from_json(body, "here")


def test_a_key_that_is_missing_is_named() -> None:
    with pytest.raises(TrainingError, match="it has no device"):
        RunSpec.from_json('{"schema_version": 1, "training": {}}', "here")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no such run spec"):
        read_file(tmp_path / "run_spec.json")
    (tmp_path / "run_spec.json").write_bytes(run_spec().body())
    assert read_file(tmp_path / "run_spec.json") == run_spec()


def test_a_probe_has_neither_data_nor_perhaps_an_environment() -> None:
    probe = run_spec(dataset=None, probe=True)
    with pytest.raises(TrainingError, match="names no dataset"):
        assert probe.data
    with pytest.raises(TrainingError, match="names no environment"):
        assert probe.environment
