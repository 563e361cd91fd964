"""The plain scripts that the commands are measured against: the same AWS calls, one after another, and nothing else.

`python tests/bench/control/plain.py launch|monitor|verify <order.json>`. Straight boto3 as a person writes it for one
job: a client for each service, no check, no message that helps, no second look. `<order.json>` has what a person would
have typed in: bucket, names, user data.
"""

import contextlib
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

ORDER: dict[str, Any] = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
ENV, BUCKET = ORDER["env"], ORDER["bucket"]
STATE, PATH, GROUP = f"{ENV}/system-state.json", f"/chronos-training/{ENV}/", f"chronos-training-{ENV}"
FILTERS = [
    {"Name": "tag:Project", "Values": [ORDER["project"]]},
    {"Name": "tag:Environment", "Values": [ENV]},
]
LIVE = {"Name": "instance-state-name", "Values": ["pending", "running", "shutting-down", "stopping", "stopped"]}


def get(s3: Any, key: str) -> bytes | None:
    """Return an object, None when there is none."""
    try:
        body: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return body


def refused(call: Any, **arguments: Any) -> None:
    """Send what must be refused."""
    try:
        call(Bucket=BUCKET, **arguments)
    except ClientError:
        return
    raise SystemExit("this S3 ignores conditions")


def settings() -> dict[str, str]:
    """Return what provisioning has published."""
    answer = boto3.client("ssm").get_parameters_by_path(Path=PATH)
    return {parameter["Name"][len(PATH) :]: parameter["Value"] for parameter in answer["Parameters"]}


def runs(s3: Any) -> None:
    """List past runs; there is none."""
    s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{ENV}/runs/", Delimiter="/")


def launch() -> None:
    """Look, take the lock, start one instance, arm the guard."""
    found, ssm, s3, ec2 = settings(), boto3.client("ssm"), boto3.client("s3"), boto3.client("ec2")
    scheduler = boto3.client("scheduler")
    for suffix in ("yaml", "yml", "json"):
        get(s3, f"{ENV}/configs/{ORDER['config']}.{suffix}")
    for key in ORDER["published"]:
        assert get(s3, key) is not None, key
    runs(s3)  # how long did earlier ones take
    assert ec2.describe_subnets(SubnetIds=found["subnet_ids"].split(","))["Subnets"], "no subnet"  # the plan's zones
    assert get(s3, STATE) is None, "a run is active"
    assert not ec2.describe_instances(Filters=[*FILTERS, LIVE])["Reservations"], "an instance lives"
    probe = f"{ENV}/.probe-{uuid.uuid4().hex}"
    s3.put_object(Bucket=BUCKET, Key=probe, Body=b"first", IfNoneMatch="*")
    refused(s3.put_object, Key=probe, Body=b"second", IfNoneMatch="*")
    refused(s3.put_object, Key=probe, Body=b"third", IfMatch=f'"{"0" * 32}"')
    refused(s3.delete_object, Key=probe, IfMatch=f'"{"0" * 32}"')
    s3.delete_object(Bucket=BUCKET, Key=probe)
    image = ssm.get_parameter(Name=ORDER["image_parameter"])["Parameter"]["Value"]
    root = ec2.describe_images(ImageIds=[image])["Images"][0]["RootDeviceName"]
    subnets = ec2.describe_subnets(SubnetIds=found["subnet_ids"].split(","))["Subnets"]
    record = {"run_id": ORDER["run_id"], "status": "starting", "client_token": uuid.uuid4().hex}
    etag = s3.put_object(Bucket=BUCKET, Key=STATE, Body=json.dumps(record), IfNoneMatch="*")["ETag"]
    s3.put_object(Bucket=BUCKET, Key=ORDER["run_spec_key"], Body=ORDER["run_spec_body"])
    record["attempt"] = 1
    etag = s3.put_object(Bucket=BUCKET, Key=STATE, Body=json.dumps(record), IfMatch=etag)["ETag"]
    tags = [{"Key": key, "Value": value} for key, value in ORDER["tags"].items()]
    instance = ec2.run_instances(
        ImageId=image,
        InstanceType=ORDER["instance_type"],
        MinCount=1,
        MaxCount=1,
        ClientToken=record["client_token"],
        UserData=ORDER["user_data"],
        IamInstanceProfile={"Name": found["instance_profile"]},
        InstanceInitiatedShutdownBehavior="terminate",
        NetworkInterfaces=[
            {"DeviceIndex": 0, "SubnetId": subnets[0]["SubnetId"], "Groups": [found["security_group_id"]]}
        ],
        BlockDeviceMappings=[{"DeviceName": root, "Ebs": {"VolumeSize": 100, "VolumeType": "gp3"}}],
        TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
    )["Instances"][0]["InstanceId"]
    record["instance_id"] = instance
    s3.put_object(Bucket=BUCKET, Key=STATE, Body=json.dumps(record), IfMatch=etag)
    scheduler.create_schedule(
        Name=f"{GROUP}-{ORDER['run_id']}",
        GroupName=GROUP,
        ScheduleExpression=ORDER["deadline"],
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances",
            "RoleArn": found["guard_role_arn"],
            "Input": json.dumps({"InstanceIds": [instance]}),
        },
    )
    event = {"event": "launch", "run_id": ORDER["run_id"], "instances": [instance]}
    s3.put_object(Bucket=BUCKET, Key=ORDER["audit_key"], Body=json.dumps(event), IfNoneMatch="*")
    print(f"run {ORDER['run_id']} on {instance}")


def monitor() -> None:
    """Say what the active run does."""
    settings()
    s3 = boto3.client("s3")
    state = json.loads(get(s3, STATE) or b"{}")
    get(s3, ORDER["run_spec_key"])  # what does its type cost
    described = boto3.client("ec2").describe_instances(
        Filters=[*FILTERS, {"Name": "tag:RunId", "Values": [state["run_id"]]}]
    )
    print(state["current_step"], state["progress"], described["Reservations"][0]["Instances"][0]["State"]["Name"])


def verify() -> None:
    """List what carries the tags."""
    settings()
    ec2, s3, scheduler = boto3.client("ec2"), boto3.client("s3"), boto3.client("scheduler")
    left = [
        *ec2.describe_instances(Filters=FILTERS)["Reservations"],
        *ec2.describe_volumes(Filters=FILTERS)["Volumes"],
        *ec2.describe_network_interfaces(Filters=FILTERS)["NetworkInterfaces"],
        *ec2.describe_snapshots(Filters=FILTERS, OwnerIds=["self"])["Snapshots"],
        *ec2.describe_addresses(Filters=FILTERS)["Addresses"],
        *ec2.describe_spot_instance_requests(Filters=FILTERS)["SpotInstanceRequests"],
    ]
    group = scheduler.get_schedule_group(Name=GROUP)["Arn"]
    scheduler.list_tags_for_resource(ResourceArn=group)
    left += scheduler.list_schedules(GroupName=GROUP)["Schedules"]
    left += s3.list_multipart_uploads(Bucket=BUCKET, Prefix=f"{ENV}/").get("Uploads", [])
    volatility = f"volatility-{ENV}"  # the other stack, which is not provisioned: what of it would act
    with contextlib.suppress(ClientError):  # it has no cluster
        left += boto3.client("ecs").list_tasks(cluster=volatility)["taskArns"]
    if not boto3.client("ssm").get_parameters_by_path(Path=f"/volatility/{ENV}/")["Parameters"]:
        with contextlib.suppress(ClientError):  # nor a group of schedules
            left += scheduler.list_schedules(GroupName=volatility)["Schedules"]
        functions = boto3.client("lambda").list_functions()["Functions"]
        left += [one for one in functions if one["FunctionName"].startswith(f"{volatility}-")]
    ec2.describe_instances(Filters=FILTERS)  # those that are terminated
    assert get(s3, STATE) is None, "a run is active"
    for _ in range(2):  # has a run ended a moment ago, and which ones lack their record
        runs(s3)
    print(f"{len(left)} left")


if __name__ == "__main__":
    {"launch": launch, "monitor": monitor, "verify": verify}[sys.argv[1]]()
