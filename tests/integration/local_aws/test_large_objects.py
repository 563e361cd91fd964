"""Big S3 bodies: multipart, ranges, copies, overwriting while being read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws

MIB = 1024 * 1024


@pytest.fixture
def s3(aws: EmbeddedAws):
    client = aws.client("s3")
    client.create_bucket(Bucket="large")
    return client


def test_multipart_upload_and_ranged_download_give_the_same_bytes(s3, tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(os.urandom(37 * MIB + 13))
    s3.upload_file(str(source), "large", "archive", Config=TransferConfig(multipart_chunksize=8 * MIB))
    s3.download_file("large", "archive", str(copy))
    assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()
    head = s3.head_object(Bucket="large", Key="archive")
    assert head["ContentLength"] == 37 * MIB + 13
    assert head["ETag"].endswith('-5"')


def test_ranges_across_parts(s3) -> None:
    parts = [os.urandom(5 * MIB), os.urandom(5 * MIB), os.urandom(100)]
    body = b"".join(parts)
    upload = s3.create_multipart_upload(Bucket="large", Key="k")["UploadId"]
    done = []
    for number, part in enumerate(parts, start=1):
        answer = s3.upload_part(Bucket="large", Key="k", UploadId=upload, PartNumber=number, Body=part)
        done.append({"PartNumber": number, "ETag": answer["ETag"]})
    s3.complete_multipart_upload(Bucket="large", Key="k", UploadId=upload, MultipartUpload={"Parts": done})
    for begin, end in ((0, 0), (5 * MIB - 3, 5 * MIB + 3), (0, len(body) - 1), (10 * MIB, 10 * MIB + 99)):
        answer = s3.get_object(Bucket="large", Key="k", Range=f"bytes={begin}-{end}")
        assert answer["Body"].read() == body[begin : end + 1]
        assert answer["ContentRange"] == f"bytes {begin}-{end}/{len(body)}"
    assert s3.get_object(Bucket="large", Key="k", Range="bytes=-7")["Body"].read() == body[-7:]
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="large", Key="k", Range=f"bytes={len(body)}-")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416


def test_a_reader_keeps_the_version_it_began_with(s3) -> None:
    old, new = os.urandom(20 * MIB), os.urandom(MIB)
    s3.put_object(Bucket="large", Key="k", Body=old)
    stream = s3.get_object(Bucket="large", Key="k")["Body"]
    begun = stream.read(MIB)
    s3.put_object(Bucket="large", Key="k", Body=new)
    s3.delete_object(Bucket="large", Key="k")
    assert begun + stream.read() == old


def test_a_part_with_another_etag_is_refused(s3) -> None:
    upload = s3.create_multipart_upload(Bucket="large", Key="k")["UploadId"]
    s3.upload_part(Bucket="large", Key="k", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    wrong = {"Parts": [{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}]}
    with pytest.raises(ClientError) as refused:
        s3.complete_multipart_upload(Bucket="large", Key="k", UploadId=upload, MultipartUpload=wrong)
    assert refused.value.response["Error"]["Code"] == "InvalidPart"


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 6 * MIB])
def test_simple_objects_and_their_copies(s3, size: int) -> None:
    body = os.urandom(size)
    etag = s3.put_object(Bucket="large", Key="k", Body=body, Metadata={"note": "x"})["ETag"]
    assert etag == f'"{hashlib.md5(body).hexdigest()}"'
    s3.copy_object(Bucket="large", Key="copy", CopySource="large/k")
    answer = s3.get_object(Bucket="large", Key="copy")
    assert answer["Body"].read() == body
    assert answer["Metadata"] == {"note": "x"}
