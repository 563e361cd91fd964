"""The policies of the instance and of the termination schedules, statement by statement, and TLS for everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError

from chronos_training.control.provision.bucket import tls_only
from local_aws.home import ACCESS_KEY, SECRET_KEY
from local_aws.iam.needs import IN_THE_CLEAR_HEADER
from local_aws.testing import EmbeddedAws
from tests.integration.access_account import (
    BUCKET,
    DEPLOYMENT,
    RUN,
    Account,
    Call,
    abort,
    guard,
    listing,
    on,
    settings,
    taken_away_unnoticed,
)
from tests.policies import guard_policy, instance_policy

LOG = "local/logs/20260101-010101/training.log"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account of its own: no call of these tests changes what another one needs."""
    server = EmbeddedAws(tmp_path_factory.mktemp("roles") / "home")
    yield Account(server)
    server.stop()


def of_an_instance(account: Account) -> list[Call]:
    """The calls as an instance makes them."""
    published = ("cached-datasets/a/manifest.json", "runtime/a", "local/configs/mine.yaml")
    written = ("local/system-state.json", f"{RUN}models/m", LOG)
    return [
        *[on(key, "get") for key in published],
        *[on(key, operation) for operation in ("put", "get", "delete") for key in written],
        *[abort(key) for key in written],
        *[listing(Prefix=prefix) for prefix in ("cached-datasets/a/", "runtime/", "local/runs/")],
        ("ec2", "describe_instances", {}),
        ("ec2", "describe_volumes", {}),
        ("ec2", "describe_network_interfaces", {}),
        account.end("instance", "own"),
        guard("delete_schedule"),
    ]


def of_the_guard(account: Account) -> list[Call]:
    """The calls as EventBridge Scheduler makes them with the guard's role."""
    return [
        account.end("instance", "own"),
        ("sqs", "send_message", {"QueueUrl": account.queues["local"], "MessageBody": "{}"}),
    ]


def test_nothing_can_be_taken_from_the_instance(account: Account) -> None:
    assert taken_away_unnoticed(account, instance_policy(DEPLOYMENT), of_an_instance(account)) == []


def test_nothing_can_be_taken_from_the_guard(account: Account) -> None:
    assert taken_away_unnoticed(account, guard_policy(DEPLOYMENT), of_the_guard(account)) == []


def beyond_the_instance(account: Account) -> dict[str, Call]:
    """Calls just outside the instance's policy."""
    return {
        "read another environment's state": on("prod/system-state.json", "get"),
        "write another environment's state": on("prod/system-state.json", "put"),
        "delete another environment's state": on("prod/system-state.json", "delete"),
        "write another environment's run": on("prod/runs/2026/01/01-010101/models/m", "put"),
        "read an environment whose name begins the same": on("local2/system-state.json", "get"),
        "write cached data": on("cached-datasets/a/manifest.json", "put"),
        "delete cached data": on("cached-datasets/a/manifest.json", "delete"),
        "write a runtime": on("runtime/python-env/current.json", "put"),
        "delete a runtime": on("runtime/python-env/current.json", "delete"),
        "write a configuration": on("local/configs/mine.yaml", "put"),
        "write into the audit log": on("local/audit/2026/01/01/010101-kill-0a1b2c3d.json", "put", IfNoneMatch="*"),
        "write at the top of the bucket": on("note.txt", "put"),
        "list the whole bucket": listing(),
        "list another environment": listing(Prefix="prod/"),
        "change the bucket's policy": ("s3", "put_bucket_policy", {"Bucket": BUCKET, "Policy": "{}"}),
        "delete the bucket": ("s3", "delete_bucket", {"Bucket": BUCKET}),
        "end an instance of another environment": account.end("instance", "other_env"),
        "end an instance of another project": account.end("instance", "other_project"),
        "stop its own instance": ("ec2", "stop_instances", {"InstanceIds": [account.things["instance", "own"]]}),
        "delete its own volume": account.end("volume", "own"),
        "launch": account.launch(),
        "delete another environment's guard": guard("delete_schedule", "prod"),
        "look at a guard": guard("get_schedule"),
        "make a guard": account.schedule(),
        "read the settings": settings("local"),
    }


def beyond_the_guard(account: Account) -> dict[str, Call]:
    """Calls just outside the guard's policy."""
    return {
        "end an instance of another environment": account.end("instance", "other_env"),
        "end an instance of another project": account.end("instance", "other_project"),
        "end a volume": account.end("volume", "own"),
        "look at instances": ("ec2", "describe_instances", {}),
        "write to another queue": ("sqs", "send_message", {"QueueUrl": account.queues["prod"], "MessageBody": "{}"}),
        "read the queue": ("sqs", "receive_message", {"QueueUrl": account.queues["local"]}),
        "read the bucket": on("local/system-state.json", "get"),
    }


@pytest.mark.parametrize(
    ("policy", "beyond"), [(instance_policy, beyond_the_instance), (guard_policy, beyond_the_guard)]
)
def test_a_call_just_outside_is_refused(account: Account, policy, beyond) -> None:
    keys = account.user(policy(DEPLOYMENT))
    assert [what for what, call in beyond(account).items() if not account.refuses(keys, call)] == []


def test_without_tls_nobody_reads_or_writes_the_bucket(account: Account) -> None:
    """Also not the account's root: an explicit Deny is for everybody."""
    root = account.aws.client("s3")
    root.put_object(Bucket=BUCKET, Key=LOG, Body=b"a line")
    root.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(tls_only(BUCKET)))
    clear = boto3.session.Session(ACCESS_KEY, SECRET_KEY).client(
        "s3", region_name=DEPLOYMENT.region, endpoint_url=account.aws.endpoint
    )
    clear.meta.events.register(
        "before-send.s3", lambda request, **_: request.headers.__setitem__(IN_THE_CLEAR_HEADER, "true")
    )
    try:
        for client, refused in ((root, False), (clear, True)):
            for operation, more in (("get_object", {}), ("put_object", {"Body": b"a line"}), ("head_object", {})):
                try:
                    getattr(client, operation)(Bucket=BUCKET, Key=LOG, **more)
                    answer = ""
                except ClientError as error:
                    answer = str(error.response["Error"]["Code"])
                assert answer in ({"AccessDenied", "403"} if refused else {""}), operation
    finally:
        root.delete_bucket_policy(Bucket=BUCKET)
