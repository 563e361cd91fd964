"""Conditional S3 writes are atomic: of many writers at once exactly one wins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws

WRITERS = 8
ROUNDS = 25


def status(call, **parameters) -> int:
    try:
        return call(**parameters)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


def test_exactly_one_creator_and_one_successor_each_round(aws: EmbeddedAws) -> None:
    clients = [aws.client("s3") for _ in range(WRITERS)]
    clients[0].create_bucket(Bucket="race")
    barrier = Barrier(WRITERS)

    def create_then_replace(number: int) -> list[tuple[int, int]]:
        s3, seen = clients[number], []
        for turn in range(ROUNDS):
            key, body = f"key-{turn}", f"{turn}:{number}".encode()
            barrier.wait()
            created = status(s3.put_object, Bucket="race", Key=key, Body=body, IfNoneMatch="*")
            barrier.wait()
            etag = s3.head_object(Bucket="race", Key=key)["ETag"]
            barrier.wait()
            replaced = status(s3.put_object, Bucket="race", Key=key, Body=b"second " + body, IfMatch=etag)
            seen.append((created, replaced))
        return seen

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = list(pool.map(create_then_replace, range(WRITERS)))
    for turn in range(ROUNDS):
        assert sorted(outcome[turn][0] for outcome in outcomes) == [200] + [412] * (WRITERS - 1)
        assert sorted(outcome[turn][1] for outcome in outcomes) == [200] + [412] * (WRITERS - 1)


def test_exactly_one_deleter_removes_the_version_it_saw(aws: EmbeddedAws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="race")
    old = s3.put_object(Bucket="race", Key="state", Body=b"one")["ETag"]
    new = s3.put_object(Bucket="race", Key="state", Body=b"two")["ETag"]
    assert status(s3.delete_object, Bucket="race", Key="state", IfMatch=old) == 412
    assert s3.get_object(Bucket="race", Key="state")["Body"].read() == b"two"
    assert status(s3.delete_object, Bucket="race", Key="state", IfMatch=new) == 204
    assert status(s3.get_object, Bucket="race", Key="state") == 404
