"""RunInstances, wherever instances are available: zones and types in order, one token and one line for each attempt.

A run's instances come from one call, all or none of them, and so from one zone and with one token. The one that EC2 gives
the launch index 0 is the head node: it finds its index in its own metadata.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from botocore import exceptions as botocore_errors
from botocore.parsers import ResponseParserError

from chronos_training.control.launch.launch_spec import LaunchSpec
from chronos_training.control.lifecycle.waiting import Waiting
from chronos_training.core import aws, capacity
from chronos_training.core.aws_types import EC2Client
from chronos_training.core.capacity import LaunchFailure, LaunchOption, Refusal
from chronos_training.core.clock import iso, utc_now
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError
from chronos_training.core.explanations import words
from chronos_training.core.instances import TERMINATION_SECONDS, Instance, find_instances
from chronos_training.core.record import RunRecord
from chronos_training.core.store import Observed, StateStore

Emit = Callable[[str], None]
# IAM tells EC2 of a new instance profile within seconds; AWS's own tools wait about as long.
PROFILE_PATIENCE_SECONDS = 30.0
POLL_SECONDS = 5.0
HEARTBEAT_SECONDS = 60.0
# For a busy or silent EC2. The same token each time: whatever arrived of the earlier calls, it is started once.
ANSWER_PATIENCE_SECONDS = 60.0


class Unanswered(TrainingError):
    """EC2 never answered RunInstances: an instance may have been started, or not."""

    code = "outcome_unknown"


def zones_of(ec2: EC2Client, subnet_ids: tuple[str, ...]) -> dict[str, str]:
    """Return the zone of each subnet, in the order given. TrainingError when one is gone."""
    with aws.explained(f"find the zones of {', '.join(subnet_ids)}"):
        found = ec2.describe_subnets(SubnetIds=list(subnet_ids))["Subnets"]
    zones = {subnet["SubnetId"]: str(subnet["AvailabilityZone"]) for subnet in found}
    return {subnet_id: zones[subnet_id] for subnet_id in subnet_ids}


def run_instances(
    ec2: EC2Client,
    store: StateStore,
    observed: Observed,
    spec: LaunchSpec,
    zones: dict[str, str],
    emit: Emit,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Observed:
    """Start the run's instances and enter them in the state. `ec2` must not retry on its own (`aws.ONCE`).

    Raises TrainingError with every attempt in it when none is available, and Unanswered when EC2 did not say.
    """
    left = capacity.launch_options(spec.run.instance.types, zones, spec.run.instance.count)
    refused: list[Refusal] = []
    while left:
        option = left.pop(0)
        number = len(refused) + 1
        token = uuid.uuid4().hex if refused else observed.record.client_token
        observed = store.update(observed, _intent(number, option.instance_type, token))
        _end_if_killed(observed, spec)
        outcome = _attempt(
            ec2, request_of(spec, option.instance_type, option.subnet_id, token), spec.run.env, option, emit, sleep
        )
        if not isinstance(outcome, Refusal):
            leader = outcome[0]["InstanceId"]
            ids = [str(instance["InstanceId"]) for instance in outcome]
            what = (
                f"instance {leader} started"
                if len(ids) == 1
                else f"instances {', '.join(ids)} started, {leader} is the head node"
            )
            emit(f"{what}: {option.instance_type} in {outcome[0]['Placement']['AvailabilityZone']}")
            return _attach(ec2, store, observed, ids)
        refused.append(outcome)
        emit(f"attempt {number}: {outcome}")
        if outcome.failure is LaunchFailure.QUOTA:
            room, observed = _wait_for_room(store, observed, spec, option, emit, sleep)
            # Once more also where its end came between the refusal and the look.
            first = [one.option for one in refused].count(option) == 1
            if room or (first and _of_the_quota(spec, option, "terminated")):
                left.insert(0, option)
                continue
        left = capacity.after(outcome, left)
    raise _given_up(refused, spec)


def _wait_for_room(
    store: StateStore,
    observed: Observed,
    spec: LaunchSpec,
    option: LaunchOption,
    emit: Emit,
    sleep: Callable[[float], None],
) -> tuple[bool, Observed]:
    """Wait until EC2 has ended what only therefore still counts against the quota of `option`; False when nothing does.

    A GPU instance counts for minutes after its run, and many a quota has room for one run only.
    """
    began, beat, show = time.monotonic(), time.monotonic(), Waiting(emit)
    room = False
    while ending := _of_the_quota(spec, option, "shutting-down"):
        waited = time.monotonic() - began
        if waited > TERMINATION_SECONDS or all(i.stuck for i in ending):
            return False, observed
        if not room:
            emit(f"{_names(ending)} still counts against this quota until terminated; waiting for that")
        room = True
        show(f"waiting for EC2 to end {_names(ending)}", waited)
        if time.monotonic() - beat > HEARTBEAT_SECONDS:  # nobody shall take this launch for dead
            observed, beat = store.update(observed, _beat), time.monotonic()
            _end_if_killed(observed, spec)
        sleep(POLL_SECONDS)
    return room, observed


def _of_the_quota(spec: LaunchSpec, option: LaunchOption, state: str) -> list[Instance]:
    """Return the instances in `state` that count, or counted, against the quota of `option`. It is the account's: of any environment."""
    found = find_instances(aws.client("ec2", region=spec.settings.region), spec.project, None, live=False)
    quota = capacity.quota_of(option.instance_type)
    return [i for i in found if i.state == state and capacity.quota_of(i.instance_type) == quota]


def _names(ending: list[Instance]) -> str:
    return ", ".join(f"{i.instance_id} ({i.instance_type}, {i.state}, run {i.run_id or 'none'})" for i in ending)


def _end_if_killed(observed: Observed, spec: LaunchSpec) -> None:
    if observed.record.kill_requested_at is not None:
        raise TrainingError(
            f"{observed.record.kill_requested_by} killed run {spec.run.run_id} before it got an instance.",
            code="run_stopped",
        )


def _beat(record: RunRecord) -> RunRecord:
    return record.evolve(heartbeat_at=iso(utc_now()))


def _attach(ec2: EC2Client, store: StateStore, observed: Observed, ids: list[str]) -> Observed:
    """Enter the instances in the state, or end them: nobody else knows their ids, and they may not be listed yet."""
    try:
        return store.update(observed, _attached(ids))
    except BaseException:
        with aws.explained(f"terminate {', '.join(ids)}, not recorded in {store.url}"):
            ec2.terminate_instances(InstanceIds=ids)
        raise


def _intent(number: int, instance_type: str, token: str) -> Callable[[RunRecord], RunRecord]:
    return lambda record: record.evolve(
        attempt=number, client_token=token, instance_type=instance_type, heartbeat_at=iso(utc_now())
    )


def _attached(ids: list[str]) -> Callable[[RunRecord], RunRecord]:
    return lambda record: record.evolve(instance_id=ids[0], members=ids[1:])


def _attempt(
    ec2: EC2Client, request: dict[str, Any], env: str, option: LaunchOption, emit: Emit, sleep: Callable[[float], None]
) -> list[dict[str, Any]] | Refusal:
    """Send one request until EC2 has answered it for good; return the instances, head node first, or why there are
    none.
    """
    began, pause, answered = time.monotonic(), 0.5, True
    while True:
        try:
            started: list[Any] = ec2.run_instances(**request)["Instances"]
            return sorted(started, key=lambda instance: int(instance["AmiLaunchIndex"]))
        except botocore_errors.ClientError as error:
            details = error.response.get("Error", {})
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            code, message = str(details.get("Code", "")), str(details.get("Message", ""))
            refusal = Refusal(option, capacity.classify_failure(code, message, status), code, message)
            # Throttled means not done; after another fault of the service it is open whether it was done.
            answered = answered and (status < 500 or refusal.failure is not LaunchFailure.REPEAT)
            patience = {
                LaunchFailure.PROFILE_NOT_READY: PROFILE_PATIENCE_SECONDS,
                LaunchFailure.REPEAT: ANSWER_PATIENCE_SECONDS,
            }
            if time.monotonic() - began > patience.get(refusal.failure, -1.0):
                if refusal.failure is LaunchFailure.REPEAT and not answered:
                    raise _unanswered(env, option, code) from error
                if refusal.failure in {LaunchFailure.FATAL, LaunchFailure.REPEAT, LaunchFailure.PROFILE_NOT_READY}:
                    raise aws.explain(error, f"start a {option}") from error
                return refusal
            emit(f"{option}: {refusal.failure.value} ({code}); trying again")
        except (botocore_errors.HTTPClientError, botocore_errors.ConnectionError, ResponseParserError) as error:
            # Without a connection nothing was sent; in every other case the request may have arrived.
            answered = answered and isinstance(error, botocore_errors.ConnectionError)
            if time.monotonic() - began > ANSWER_PATIENCE_SECONDS:
                raise (
                    aws.explain(error, f"start a {option}") if answered else _unanswered(env, option, str(error))
                ) from error
            emit(f"{option}: {LaunchFailure.REPEAT.value} ({type(error).__name__}); asking again with the same token")
        except botocore_errors.BotoCoreError as error:
            raise aws.explain(error, f"start a {option}") from error
        sleep(pause)
        pause = min(5.0, pause * 2)


def _unanswered(env: str, option: LaunchOption, why: str) -> Unanswered:
    return Unanswered(
        f"EC2 did not answer the request for a {option}: {why}. An instance may have been started.",
        hint=f"When AWS answers again, terminate whatever was started: {playbook(env, 'kill_training')}",
    )


def _given_up(refused: list[Refusal], spec: LaunchSpec) -> TrainingError:
    """Return the one error that tells all attempts, and what would help."""
    attempts = "; ".join(f"{number}. {refusal}" for number, refusal in enumerate(refused, start=1))
    # AWS's own words, the last of each code: they name what our reading of the code may miss.
    said = " ".join(f"{words(*one)}." for one in {refusal.code: refusal.message for refusal in refused}.items())
    last = refused[-1]
    if last.failure is LaunchFailure.MISMATCH:
        return TrainingError(
            f"AWS has already seen this launch's client token with another request (attempts: {attempts}). {said}",
            hint="This call started nothing. Launch again; a new launch has new tokens.",
        )
    free = [refusal for refusal in refused if refusal.failure is LaunchFailure.FREE_PLAN]
    if free:
        sentence, hint = capacity.explain_free_plan(free[0].option.instance_type)
        return TrainingError(
            f"No instance available. {sentence} Attempts: {attempts}. AWS: {said}", hint=hint, code="quota_exceeded"
        )
    quotas = [refusal for refusal in refused if refusal.failure is LaunchFailure.QUOTA]
    if quotas:
        first = quotas[0]
        sentence, hint = capacity.explain_quota(first.option, first.code, first.message, spec.settings.region)
        ending = _of_the_quota(spec, first.option, "shutting-down")
        if ending:
            sentence += f" {_names(ending)} still counts against it until terminated."
            hint = f"Launch again when it is terminated, or: {hint[0].lower()}{hint[1:]}"
        return TrainingError(
            f"No instance available. {sentence} Attempts: {attempts}. AWS: {said}", hint=hint, code="quota_exceeded"
        )
    return TrainingError(
        f"No instance available: every zone and type was refused. Attempts: {attempts}. AWS: {said}",
        hint=capacity.advice(refused, spec.settings.region),
        code="no_capacity",
    )


def request_of(spec: LaunchSpec, instance_type: str, subnet_id: str, token: str) -> dict[str, Any]:
    """Return the RunInstances request: tagged in the same call, self-terminating, IMDSv2 only, encrypted gp3, no key."""
    tags = [{"Key": k, "Value": v} for k, v in {**spec.tags, "RunId": spec.run.run_id}.items()]
    tags.append({"Key": "Name", "Value": f"chronos-training-{spec.run.env}-{spec.run.run_id}"})
    return {
        "ImageId": spec.run.instance.image.id,
        "InstanceType": instance_type,
        "MinCount": spec.run.instance.count,
        "MaxCount": spec.run.instance.count,
        "ClientToken": token,
        "UserData": spec.packed_user_data,
        "IamInstanceProfile": {"Name": spec.settings.instance_profile},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": subnet_id,
                "Groups": [spec.settings.security_group_id],
                "AssociatePublicIpAddress": True,
                "DeleteOnTermination": True,
            }
        ],
        "BlockDeviceMappings": [
            {
                "DeviceName": spec.root_device,  # another name would be a second volume beside the root one
                "Ebs": {
                    "VolumeSize": spec.run.instance.volume_gb,
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
