import json

import pytest

from chronos_training.core.errors import DataError
from chronos_training.core.manifest import DataFile, digest_of, parse_manifest

GOOD = (DataFile("2020/01/part-0.parquet", 10, "a" * 64),)


def body(**changes):
    content = {
        "name": "x",
        "digest": digest_of(GOOD),
        "files": [{"path": "2020/01/part-0.parquet", "size": 10, "sha256": "a" * 64}],
    }
    return json.dumps({**content, **changes}).encode()


def test_a_good_one():
    assert parse_manifest(body(), "s3://b/m").total_bytes == 10


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"{", "JSONDecodeError"),
        (b"{}", "KeyError"),
        (body(files=[]), "names no file"),
        (body(digest="0" * 64), "digest does not fit"),
        (body(files=[{"path": "../../etc/passwd", "size": 1, "sha256": "a" * 64}]), "leaves the dataset"),
        (body(files=[{"path": "/etc/passwd", "size": 1, "sha256": "a" * 64}]), "leaves the dataset"),
        (body(files=[{"path": "a", "size": 1, "sha256": "short"}]), "the sha256 of a is 'short'"),
    ],
)
def test_a_bad_one_is_named(bad, why):
    with pytest.raises(DataError, match=why) as error:
        parse_manifest(bad, "s3://b/m")
    assert "s3://b/m" in str(error.value)
