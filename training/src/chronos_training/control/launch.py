"""Launch: lock, intent, RunInstances, attach. It may die at any line; the next launch, kill or verify settles the rest."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chronos_training.core import aws
from chronos_training.core.clock import iso, utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import find_instances, terminate_and_confirm
from chronos_training.core.record import RunRecord
from chronos_training.core.states import FAILED, STARTING
from chronos_training.core.store import Change, Observed, RunActive, StateStore, open_store

from .holder import refusal
from .plan import GUARD_MINUTES
from .settle import close, settle

Say = Callable[[str], None]
# In the next zone these may go well; anything else would fail there too.
CAPACITY = {
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "Unsupported",
    "InsufficientFreeAddressesInSubnet",
}
QUOTA = {"VcpuLimitExceeded", "InstanceLimitExceeded", "MaxSpotInstanceCountExceeded"}


@dataclass(frozen=True)
class LaunchOrder:
    """What RunInstances needs, as the plan module handed it over."""

    run_id: str
    env: str
    project: str
    region: str
    bucket: str
    tags: dict[str, str]
    instance_types: tuple[str, ...]
    subnet_ids: tuple[str, ...]
    security_group_id: str
    instance_profile: str
    image_parameter: str
    volume_gb: int
    deadline_seconds: float
    run_spec_key: str
    run_spec_body: str
    training_config: dict[str, Any]
    owner: str
    user_data: str

    @classmethod
    def from_params(cls, order: dict[str, Any], tags: dict[str, str], user_data: str) -> LaunchOrder:
        """Return the order that `Plan.order` described. TrainingError when a part of it is missing."""
        try:
            values = {name: order[name] for name in cls.__dataclass_fields__ if name not in {"tags", "user_data"}}
        except KeyError as missing:
            raise TrainingError(
                f"The launch order lacks {missing}.", hint="Take it from module training_plan_info."
            ) from None
        values |= {"instance_types": tuple(order["instance_types"]), "subnet_ids": tuple(order["subnet_ids"])}
        return cls(**values, tags=tags, user_data=user_data)


def preview(order: LaunchOrder) -> None:
    """Raise TrainingError when a launch would be refused now. Changes nothing, settles nothing."""
    store = open_store(order.bucket, order.env, region=order.region)
    observed = store.read()
    if observed is not None:
        raise TrainingError(refusal(observed, store.url, aws.client("ec2", region=order.region), order.project))


def launch(order: LaunchOrder, say: Say) -> RunRecord:
    """Start the run and return its record with the instance in it. Raises TrainingError; then nothing is left running."""
    s3, ec2 = aws.client("s3", region=order.region), aws.client("ec2", region=order.region)
    store = open_store(order.bucket, order.env, region=order.region)
    holder, settled = settle(s3, order.bucket, store, ec2, order.project)
    if holder is not None:
        raise TrainingError(refusal(holder, store.url, ec2, order.project))
    if settled is not None:
        say(settled)
    strays = find_instances(ec2, order.project, order.env)
    if strays:
        names = ", ".join(f"{i.instance_id} ({i.state}, run {i.run_id or 'none'})" for i in strays)
        raise TrainingError(
            f"Instances of {order.env} live without a run: {names}.",
            hint="Nothing was changed. Look at them, then end them with ansible-playbook playbooks/kill_training.yml.",
        )
    image_id = _image(order)
    try:
        observed = _acquire(store, order)
    except RunActive as active:  # somebody was faster
        raise TrainingError(refusal(active.observed, store.url, ec2, order.project)) from active
    say(f"lock taken: {store.url}")
    try:
        with aws.explained(f"store the run spec in {order.bucket}"):
            s3.put_object(
                Bucket=order.bucket,
                Key=order.run_spec_key,
                Body=order.run_spec_body.encode(),
                ContentType="application/json",
            )
        observed = _run_instance(ec2, store, observed, order, image_id, say)
    except BaseException as error:
        # Also on Ctrl-C. If this is cut short too, the intent is in the state and the next command settles it.
        _abandon(s3, ec2, store, order, error)
        raise
    return observed.record


def _acquire(store: StateStore, order: LaunchOrder) -> Observed:
    now = utc_now()
    deadline = now.timestamp() + order.deadline_seconds + GUARD_MINUTES * 60
    record = RunRecord(
        env=order.env,
        run_id=order.run_id,
        owner=order.owner,
        status=STARTING,
        created_at=iso(now),
        heartbeat_at=iso(now),
        deadline_at=iso(now.fromtimestamp(deadline, now.tzinfo)),
        client_token=uuid.uuid4().hex,
        training_config=order.training_config,
    )
    return store.acquire(record)


def _image(order: LaunchOrder) -> str:
    ssm = aws.client("ssm", region=order.region)
    with aws.explained(f"find the machine image through {order.image_parameter}"):
        return str(ssm.get_parameter(Name=order.image_parameter)["Parameter"]["Value"])


def _run_instance(
    ec2: Any, store: StateStore, observed: Observed, order: LaunchOrder, image_id: str, say: Say
) -> Observed:
    """Try each type in each subnet, in order. One token for each attempt, in the state before its call."""
    places = [(kind, subnet) for kind in order.instance_types for subnet in order.subnet_ids]
    refused: list[str] = []
    for number, (instance_type, subnet_id) in enumerate(places, start=1):
        token = observed.record.client_token if number == 1 else uuid.uuid4().hex

        def intent(record: RunRecord, n: int = number, kind: str = instance_type, t: str = token) -> RunRecord:
            return record.evolve(attempt=n, client_token=t, instance_type=kind, heartbeat_at=iso(utc_now()))

        observed = store.update(observed, intent)
        try:
            answer = ec2.run_instances(**request_of(order, image_id, instance_type, subnet_id, token))
        except ClientError as error:
            code = aws.error_code(error)
            if code not in CAPACITY:
                raise _explain(error, instance_type) from error
            refused.append(f"{instance_type} in {subnet_id}: {code}")
            say(f"no capacity: {refused[-1]}")
            continue
        except BotoCoreError as error:
            raise aws.explain(error, f"start a {instance_type}") from error
        instance = answer["Instances"][0]
        instance_id = str(instance["InstanceId"])
        say(f"instance {instance_id} started: {instance_type} in {instance['Placement']['AvailabilityZone']}")
        return store.update(observed, _attached(instance_id))
    raise TrainingError(
        f"No instance to be had: {'; '.join(refused)}.",
        hint="Try later, or give more types in training_launch_instance_types.",
    )


def _attached(instance_id: str) -> Change:
    return lambda record: record.evolve(instance_id=instance_id)


def request_of(order: LaunchOrder, image_id: str, instance_type: str, subnet_id: str, token: str) -> dict[str, Any]:
    """Return the RunInstances request: tagged in the same call, self-terminating, IMDSv2 only, encrypted gp3, no key."""
    tags = [{"Key": k, "Value": v} for k, v in {**order.tags, "RunId": order.run_id}.items()]
    tags.append({"Key": "Name", "Value": f"chronos-training-{order.env}-{order.run_id}"})
    return {
        "ImageId": image_id,
        "InstanceType": instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": token,
        "UserData": order.user_data,
        "IamInstanceProfile": {"Name": order.instance_profile},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": subnet_id,
                "Groups": [order.security_group_id],
                "AssociatePublicIpAddress": True,
                "DeleteOnTermination": True,
            }
        ],
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/sda1",  # the root device of the Ubuntu images
                "Ebs": {
                    "VolumeSize": order.volume_gb,
                    "VolumeType": "gp3",
                    "DeleteOnTermination": True,
                    "Encrypted": True,
                },
            }
        ],
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume", "network-interface")
        ],
    }


def _explain(error: ClientError, instance_type: str) -> TrainingError:
    if aws.error_code(error) in QUOTA:
        return TrainingError(
            f"AWS does not let this account start a {instance_type}: the vCPU quota is used up, or 0 (new accounts).",
            hint="Ask for 8 vCPUs or more of 'Running On-Demand G and VT instances' in Service Quotas, EC2.",
        )
    return aws.explain(error, f"start a {instance_type}")


def _abandon(s3: Any, ec2: Any, store: StateStore, order: LaunchOrder, error: BaseException) -> None:
    """End whatever this launch may have started, then give the lock back."""
    terminate_and_confirm(ec2, find_instances(ec2, order.project, order.env, order.run_id), order.project, order.env)
    current = store.read()
    if current is not None and current.record.run_id == order.run_id:
        reason = str(error) or type(error).__name__
        close(s3, order.bucket, store, current, FAILED, f"The launch failed: {reason}")
