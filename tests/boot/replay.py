"""One run's user data, byte for byte, once more: on another embedded AWS, whose instances are of another level."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronos_training.core.clock import iso, utc_now
from chronos_training.core.record import RunRecord
from local_aws.testing import EmbeddedAws
from tests.e2e.operator import Operator, eventually

COPIED = ("runtime/", "cached-datasets/", "local/runs/")


@dataclass(frozen=True)
class Recorded:
    """A run that was: its record before the claim, what its instance was started with, and where its files are."""

    operator: Operator
    record: RunRecord
    user_data: bytes
    request: dict[str, Any]


def record(operator: Operator, run_id: str, instance_id: str) -> Recorded:
    """Take down the finished run. Its instance may be gone: EC2 describes it for a while."""
    ec2 = operator.ec2
    instance = operator.aws.instance(instance_id)
    # A terminated instance has none any more; the environment has one.
    (profile,) = operator.aws.client("iam").list_instance_profiles()["InstanceProfiles"]
    encoded = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")["UserData"]["Value"]
    archived = operator.artifact(run_id, "system-state.json")
    fresh = {"status": "starting", "claimed_at": None, "current_step": None, "steps": {}, "progress": {}}
    now = iso(utc_now())
    return Recorded(
        operator,
        RunRecord(**{**archived, **fresh, "instance_id": None, "created_at": now, "heartbeat_at": now}),
        base64.b64decode(encoded),
        {
            "ImageId": instance["ImageId"],
            "InstanceType": instance["InstanceType"],
            "IamInstanceProfile": {"Arn": profile["Arn"]},
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            "InstanceInitiatedShutdownBehavior": "terminate",
            "TagSpecifications": [{"ResourceType": "instance", "Tags": instance["Tags"]}],
        },
    )


def replay(recorded: Recorded, home: Path, level: str) -> tuple[Operator, str]:
    """Provision an account at `level`, bring the run's files there and start its instance. Returns its operator and id."""
    operator = Operator(EmbeddedAws(home, level))
    operator.play("provision_infrastructure").succeeded()
    source = recorded.operator
    for prefix in COPIED:
        for key in source.keys(prefix):
            if prefix != "local/runs/" or key.endswith("run_spec.json"):
                body = source.s3.get_object(Bucket=source.bucket, Key=key)["Body"]
                operator.s3.upload_fileobj(body, operator.bucket, key)
    instance_id = operator.aws.launch(recorded.user_data, **recorded.request)
    # Before the machine has come so far that it claims the run.
    state = RunRecord(**{**vars(recorded.record), "instance_id": instance_id})
    operator.s3.put_object(Bucket=operator.bucket, Key="local/system-state.json", Body=state.to_json())
    return operator, instance_id


def finished(operator: Operator, run_id: str, instance_id: str, seconds: float) -> dict[str, Any]:
    """Wait for the instance's end; return the run's archived state."""
    gone = lambda: operator.aws.state(instance_id) == "terminated"  # noqa: E731
    try:
        eventually(gone, f"the end of {instance_id}", seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{operator.aws.console(instance_id)[-5000:]}") from None
    return dict(operator.artifact(run_id, "system-state.json"))
