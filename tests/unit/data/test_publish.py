"""Publishing to S3: manifest last, nothing that is published is harmed, unchanged data costs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from moto import mock_aws

from chronos_training.control.publish.dataset import publish_dataset
from chronos_training.control.publish.dataset_source import prepare_and_publish
from chronos_training.core.errors import ConfigurationError, DataError, TrainingError
from chronos_training.core.manifest import parse_manifest
from chronos_training.data.prepare import prepare

BUCKET, PREFIX = "bucket", "cached-datasets/small/"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


def make(tmp_path: Path, frame: pd.DataFrame, name: str) -> Path:
    frame.to_csv(tmp_path / f"{name}.csv", index=False)
    prepare(str(tmp_path / f"{name}.csv"), "small", tmp_path / name)
    return tmp_path / name


def keys(s3: Any) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX).get("Contents", [])
    return {o["Key"][len(PREFIX) :]: s3.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read() for o in listed}


def whole(objects: dict[str, bytes]) -> bool:
    """Does the published manifest name only files that are there with the right bytes?"""
    import hashlib

    manifest = parse_manifest(objects["manifest.json"], "x")
    return all(hashlib.sha256(objects[f.path]).hexdigest() == f.sha256 for f in manifest.files)


def test_publish_then_nothing_to_do(s3: Any, tmp_path: Path, panel: pd.DataFrame) -> None:
    folder = make(tmp_path, panel, "one")
    first = publish_dataset(s3, BUCKET, folder)
    assert (first["changed"], first["uploaded"], first["files"], first["rows"]) == (True, 4, 4, 270)
    assert whole(keys(s3))
    before = s3.head_object(Bucket=BUCKET, Key=PREFIX + "manifest.json")["LastModified"]
    again = publish_dataset(s3, BUCKET, make(tmp_path, panel, "again"))
    assert (again["changed"], again["uploaded"], again["digest"]) == (False, 0, first["digest"])
    assert again["diff"]["before"] == again["diff"]["after"]
    assert s3.head_object(Bucket=BUCKET, Key=PREFIX + "manifest.json")["LastModified"] == before


def test_check_mode_predicts_and_writes_nothing(s3: Any, tmp_path: Path, panel: pd.DataFrame) -> None:
    folder = make(tmp_path, panel, "one")
    predicted = publish_dataset(s3, BUCKET, folder, check_mode=True)
    assert keys(s3) == {}
    done = publish_dataset(s3, BUCKET, folder)
    assert predicted == done
    assert publish_dataset(s3, BUCKET, folder, check_mode=True)["changed"] is False


def test_check_mode_before_the_bucket_exists(s3: Any, tmp_path: Path, panel: pd.DataFrame) -> None:
    folder = make(tmp_path, panel, "one")
    assert publish_dataset(s3, "not-there", folder, check_mode=True)["changed"] is True
    with pytest.raises(TrainingError, match="the bucket not-there does not exist"):
        publish_dataset(s3, "not-there", folder)


def test_other_data_leaves_the_published_files_readable(s3: Any, tmp_path: Path, panel: pd.DataFrame) -> None:
    publish_dataset(s3, BUCKET, make(tmp_path, panel, "one"))
    old = keys(s3)
    changed = panel.copy()
    changed.loc[changed["timestamp"] >= "2020-04-01", "target"] += 1
    second = publish_dataset(s3, BUCKET, make(tmp_path, changed, "two"))
    assert (second["changed"], second["uploaded"]) == (True, 1)  # one month differs
    new = keys(s3)
    assert whole(new)
    # A run that still reads by the old manifest finds every byte of it.
    assert whole({**new, "manifest.json": old["manifest.json"]})
    assert publish_dataset(s3, BUCKET, make(tmp_path, changed, "three"))["changed"] is False
    # The publication after removes what only the first manifest needed.
    third = changed.assign(target=changed["target"] * 2)
    publish_dataset(s3, BUCKET, make(tmp_path, third, "four"))
    assert "2020/04/part-0.parquet" not in keys(s3)
    assert whole(keys(s3))


class FailingPut:
    """An S3 client whose n-th write fails."""

    def __init__(self, s3: Any, survive: int) -> None:
        self._s3, self._left = s3, survive

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def put_object(self, **arguments: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ConnectionError("cut")
        return self._s3.put_object(**arguments)


@pytest.mark.parametrize("survive", range(5))
def test_a_cut_at_any_write_leaves_the_published_dataset_whole(
    s3: Any, tmp_path: Path, panel: pd.DataFrame, survive: int
) -> None:
    publish_dataset(s3, BUCKET, make(tmp_path, panel, "one"))
    manifest = keys(s3)["manifest.json"]
    other = make(tmp_path, panel.assign(target=panel["target"] + 1), "two")
    with pytest.raises(ConnectionError):
        publish_dataset(FailingPut(s3, survive), BUCKET, other)
    assert keys(s3)["manifest.json"] == manifest
    assert whole(keys(s3))
    assert publish_dataset(s3, BUCKET, other)["changed"] is True
    assert whole(keys(s3))


def test_somebody_else_publishes_in_between(s3: Any, tmp_path: Path, panel: pd.DataFrame) -> None:
    publish_dataset(s3, BUCKET, make(tmp_path, panel, "one"))
    mine = make(tmp_path, panel.assign(target=panel["target"] + 1), "mine")
    theirs = make(tmp_path, panel.assign(target=panel["target"] + 2), "theirs")

    class Late(FailingPut):
        def put_object(self, **arguments: Any) -> Any:
            if arguments["Key"].endswith("manifest.json"):
                publish_dataset(self._s3, BUCKET, theirs)
            return self._s3.put_object(**arguments)

    with pytest.raises(TrainingError, match="Somebody else published"):
        publish_dataset(Late(s3, 0), BUCKET, mine)
    assert whole(keys(s3))
    assert json.loads(keys(s3)["manifest.json"])["digest"] == publish_dataset(s3, BUCKET, theirs)["digest"]


def test_a_lost_file_and_a_broken_manifest_are_mended(s3: Any, tmp_path: Path, panel: pd.DataFrame) -> None:
    folder = make(tmp_path, panel, "one")
    publish_dataset(s3, BUCKET, folder)
    s3.delete_object(Bucket=BUCKET, Key=PREFIX + "2020/02/part-0.parquet")
    assert publish_dataset(s3, BUCKET, folder)["uploaded"] == 1
    assert whole(keys(s3))
    s3.put_object(Bucket=BUCKET, Key=PREFIX + "manifest.json", Body=b"{")
    assert publish_dataset(s3, BUCKET, folder)["changed"] is True
    assert whole(keys(s3))


def test_a_file_that_was_overwritten_in_the_bucket_is_mended(s3: Any, tmp_path: Path, panel: pd.DataFrame) -> None:
    folder = make(tmp_path, panel, "one")
    publish_dataset(s3, BUCKET, folder)
    file = json.loads((folder / "manifest.json").read_text())["files"][0]
    key = f"cached-datasets/small/{file['path']}"
    good = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    s3.put_object(Bucket=BUCKET, Key=key, Body=good[:-1] + b"X")  # the same length
    mended = publish_dataset(s3, BUCKET, folder)
    assert (mended["changed"], mended["uploaded"]) == (True, 1)
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == good
    assert publish_dataset(s3, BUCKET, folder)["changed"] is False


def test_a_folder_that_is_not_what_it_says_is_not_published(s3: Any, tmp_path: Path, panel: pd.DataFrame) -> None:
    folder = make(tmp_path, panel, "one")
    (folder / "2020/01/part-0.parquet").write_bytes(b"x")
    with pytest.raises(DataError, match="the file is corrupt"):
        publish_dataset(s3, BUCKET, folder)
    assert keys(s3) == {}


def test_what_the_module_does_and_says(s3: Any, tmp_path: Path, panel: pd.DataFrame) -> None:
    panel.to_csv(tmp_path / "panel.csv", index=False)
    said: list[str] = []
    arguments: dict[str, Any] = {
        "env": "local", "region": "us-east-1", "bucket": BUCKET, "name": "small", "source": str(tmp_path / "panel.csv"),
        "emit": said.append,
    }  # fmt: skip
    assert prepare_and_publish(**arguments, check_mode=True)["changed"] is True
    assert prepare_and_publish(**arguments, check_mode=False)["changed"] is True
    assert prepare_and_publish(**arguments, check_mode=False)["changed"] is False
    assert said[1] == "small: 4 of 4 files would be uploaded to s3://bucket/cached-datasets/small/"
    assert said[3] == "small: 4 of 4 files uploaded to s3://bucket/cached-datasets/small/"
    assert said[5].startswith("small: already published, digest ")
    with pytest.raises(ConfigurationError, match="'Small Data' is not allowed"):
        prepare_and_publish(**{**arguments, "name": "Small Data"}, check_mode=False)


def test_targets_and_rules_reach_the_manifest_and_findings_alone_publish_nothing(
    s3: Any, tmp_path: Path, panel: pd.DataFrame
) -> None:
    renamed = panel.rename(columns={"target": "sold"}).assign(price=1.0)
    pd.concat([renamed, renamed.iloc[[3]]]).to_csv(tmp_path / "panel.csv", index=False)
    arguments: dict[str, Any] = {
        "env": "local", "region": "us-east-1", "bucket": BUCKET, "name": "small", "source": str(tmp_path / "panel.csv"),
        "emit": lambda text: None, "check_mode": False, "targets": ["sold"],
    }  # fmt: skip
    with pytest.raises(DataError, match="2 rows share item and timestamp"):
        prepare_and_publish(**arguments)
    with pytest.raises(ConfigurationError, match="Rule 'duplicate' is not known"):
        prepare_and_publish(**arguments, rules={"duplicate": "first"})
    assert keys(s3) == {}
    assert prepare_and_publish(**arguments, rules={"duplicates": "first"})["changed"] is True
    manifest = json.loads(keys(s3)["manifest.json"])
    assert (manifest["target_columns"], manifest["covariates"]) == (["sold"], ["price"])
    assert [found["check"] for found in manifest["findings"]] == ["unsorted", "duplicates"]
    renamed.to_csv(tmp_path / "panel.csv", index=False)
    assert prepare_and_publish(**arguments)["changed"] is False
