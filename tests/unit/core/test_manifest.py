import json

import pytest

from chronos_training.core.errors import DataError
from chronos_training.core.manifest import dataset_digest, parse_manifest

GOOD = [{"path": "2020/01/part-0.parquet", "size": 10, "rows": 3, "sha256": "a" * 64}]


def body(**changes):
    content = {
        "schema_version": 1,
        "name": "x",
        "freq": "D",
        "columns": {"item_id": "string"},
        "item_id_column": "item_id",
        "timestamp_column": "timestamp",
        "target_columns": ["target"],
        "items": 1,
        "rows": 3,
        "shortest_series": 3,
        "longest_series": 3,
        "digest": dataset_digest(GOOD),
        "files": GOOD,
    }
    return json.dumps({**content, **changes}).encode()


def file(**changes):
    return [{**GOOD[0], **changes}]


def test_a_good_one():
    assert parse_manifest(body(), "s3://b/m").total_bytes == 10


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"{", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"{}", "name is missing"),
        (body(schema_version=2), "schema version 2 is not known"),
        (body(files=[]), "has no files"),
        (body(digest="0" * 64), "does not match the files listed"),
        (body(files=file(path="../../etc/passwd")), "is not a path inside the dataset"),
        (body(files=file(path="/etc/passwd")), "is not a path inside the dataset"),
        (body(files=file(sha256="short")), "the sha256 of 2020/01/part-0.parquet is 'short'"),
    ],
)
def test_a_bad_one_is_named(bad, why):
    with pytest.raises(DataError, match=why) as error:
        parse_manifest(bad, "s3://b/m")
    assert "s3://b/m" in str(error.value)
