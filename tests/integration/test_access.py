"""The user policies, statement by statement: each allows a call that nothing else does, and ends just there.

`allowed` are calls as the playbooks make them; `beyond` are calls just outside. That each playbook needs no more than the
policy of its task is shown end to end: there every command is run by a user who has only that. For the administrator's
policy, need and sufficiency are shown by test_administrator.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from chronos_training.control.provision.bucket import tls_only
from chronos_training.control.provision.names import TASKS
from local_aws.testing import EmbeddedAws
from tests.integration.access_account import (
    ACCOUNT,
    BUCKET,
    DEPLOYMENT,
    ENDING,
    ENV,
    GROUP,
    PROFILE,
    RUN,
    Account,
    Call,
    abort,
    group_tags,
    guard,
    listing,
    on,
    settings,
    spec,
    tags,
    taken_away_unnoticed,
)
from tests.policies import Deployment, guard_policy, instance_policy, people_policy

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: characters without white space
STACK = "volatility-local"
TASK = f"arn:aws:ecs:us-east-1:{ACCOUNT}:task/{STACK}/{'0' * 32}"
LARGEST_POLICY, LARGEST_INLINE = 6144, 10240
LARGEST_BUCKET_POLICY = 20 * 1024
ROOM = 600  # for the next statements; a policy that has less is to be split


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account of its own: no call of these tests changes what another one needs."""
    server = EmbeddedAws(tmp_path_factory.mktemp("access") / "home")
    yield Account(server)
    server.stop()


EVENT = "local/audit/2026/01/01/010101-launch-0a1b2c3d.json"

WATCHING: list[Call] = [
    settings(ENV),
    listing(Prefix="local/runs/"),
    ("s3", "list_multipart_uploads", {"Bucket": BUCKET}),
    on("local/system-state.json", "get"),
    on(f"{RUN}system-state.json", "get"),
    on(f"{RUN}run_spec.json", "get"),
    on(f"{RUN}model_metadata.json", "get"),
    on(f"{RUN}cleanup_status.json", "get"),
    on(EVENT, "get"),
    ("ec2", "describe_addresses", {}),
    ("ec2", "describe_instances", {}),
    ("ec2", "describe_network_interfaces", {}),
    ("ec2", "describe_snapshots", {"OwnerIds": ["self"]}),
    ("ec2", "describe_spot_instance_requests", {}),
    ("ec2", "describe_volumes", {}),
    ("scheduler", "list_schedules", {"GroupName": GROUP}),
    guard("get_schedule"),
    ("scheduler", "get_schedule_group", {"Name": GROUP}),
    group_tags(ENV),
    # The volatility stack's.
    ("ssm", "get_parameters_by_path", {"Path": "/volatility/local/"}),
    ("lambda", "list_functions", {}),
    (
        "stepfunctions",
        "list_executions",
        {"stateMachineArn": f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:{STACK}-daily"},
    ),
    ("ecs", "list_tasks", {"cluster": STACK}),
    ("ecs", "describe_tasks", {"cluster": STACK, "tasks": [TASK]}),
]


PUBLISHING: list[Call] = [
    *[listing(Prefix=p) for p in ("cached-datasets/a/", "runtime/")],
    *[on(key, "get") for key in ("cached-datasets/a/manifest.json", "runtime/a")],
    *[on(key, "put") for key in ("cached-datasets/a/b", "runtime/a/b")],
    *[abort(key) for key in ("cached-datasets/a/b", "runtime/a/b")],
    on("cached-datasets/a/b", "delete"),
    on(EVENT.replace("launch", "publish"), "put", IfNoneMatch="*"),
]


def allowed(kind: str, account: Account) -> list[Call]:
    """The calls as the playbooks make them. An id that nothing has is refused by tags: what is ended must exist."""
    if kind in ("monitor", "publisher"):
        return WATCHING if kind == "monitor" else PUBLISHING
    parameter = "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id"
    return [
        *WATCHING,
        ("ssm", "get_parameter", {"Name": parameter}),
        *[listing(Prefix=p) for p in ("cached-datasets/a/", "runtime/")],
        *[on(key, "get") for key in ("cached-datasets/a/manifest.json", "runtime/a", "local/configs/mine.yaml")],
        *[on(key, "put") for key in ("local/system-state.json", "local/.probe-1", f"{RUN}run_spec.json")],
        on(EVENT.replace("launch", "kill"), "put", IfNoneMatch="*"),
        *[on(key, "delete") for key in ("local/system-state.json", "local/.probe-1")],
        *[abort(key) for key in (f"{RUN}m", "local/logs/1/a")],
        ("ec2", "describe_images", {"ImageIds": ["ami-0a7d80731ae1b2435"]}),
        ("ec2", "describe_subnets", {}),
        ("ec2", "get_ebs_default_kms_key_id", {}),
        ("ec2", "get_ebs_encryption_by_default", {}),
        ("service-quotas", "get_service_quota", {"ServiceCode": "ec2", "QuotaCode": "L-DB2E81BA"}),
        ("service-quotas", "get_aws_default_service_quota", {"ServiceCode": "ec2", "QuotaCode": "L-DB2E81BA"}),
        account.launch(),
        account.schedule(),
        *[account.end(what, "own") for what in ENDING],
        guard("delete_schedule"),
        ("ecs", "stop_task", {"cluster": STACK, "task": TASK}),
    ]


@pytest.mark.parametrize("kind", ["operator", "publisher", "monitor"])
def test_nothing_can_be_taken_from_a_policy(account: Account, kind: str) -> None:
    assert taken_away_unnoticed(account, people_policy(kind, DEPLOYMENT), allowed(kind, account)) == []


def beyond(account: Account) -> dict[str, Call]:
    """Calls just outside the operator's policy."""
    bad_volume = [{"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": False}}]
    return {
        "settings of another environment": settings("prod"),
        "list the whole bucket": listing(),
        "list another environment": listing(Prefix="prod/"),
        "list an environment whose name begins the same": listing(Prefix="local2/"),
        "read another environment": on("prod/runs/2026/01/01-010101/models/m", "get"),
        "write another environment's lock": on("prod/system-state.json", "put"),
        "write a run's log": on("local/logs/1/training.log", "put"),
        "write a configuration": on("local/configs/mine.yaml", "put"),
        "write at the top of the bucket": on("note.txt", "put"),
        "publish a dataset": on("cached-datasets/a/b", "put"),
        "publish a runtime": on("runtime/a/b", "put"),
        "delete a dataset's file": on("cached-datasets/a/b", "delete"),
        "write over an event of the audit log": on(EVENT, "put"),
        "write over the event that it has read": on(EVENT, "put", IfMatch='"0"'),
        "delete an event of the audit log": on(EVENT, "delete"),
        "write into another environment's audit log": on(EVENT.replace("local", "prod"), "put", IfNoneMatch="*"),
        "delete a run's model": on(f"{RUN}models/m", "delete"),
        "delete another environment's lock": on("prod/system-state.json", "delete"),
        "delete a runtime": on("runtime/a", "delete"),
        "change the bucket's policy": ("s3", "put_bucket_policy", {"Bucket": BUCKET, "Policy": "{}"}),
        "delete the bucket": ("s3", "delete_bucket", {"Bucket": BUCKET}),
        **{f"end an {what} of {whose}": account.end(what, whose) for what in ENDING for whose in ("other_env", "other_project")},
        "stop an instance": ("ec2", "stop_instances", {"InstanceIds": [account.things["instance", "own"]]}),
        "tag an instance that exists": (
            "ec2", "create_tags", {"Resources": [account.things["instance", "other_project"]], "Tags": tags()}
        ),
        "launch without tags": account.launch(TagSpecifications=[]),
        "launch for another environment": account.launch(wanted=tags(env="prod")),
        "launch for another project": account.launch(wanted=tags("Another")),
        "launch with another role": account.launch(IamInstanceProfile={"Name": "admin"}),
        "launch without a role": account.launch(IamInstanceProfile={}),
        "launch with IMDSv1": account.launch(MetadataOptions={"HttpTokens": "optional", "HttpPutResponseHopLimit": 1}),
        "launch with two hops": account.launch(MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2}),
        "launch with an open volume": account.launch(BlockDeviceMappings=bad_volume),
        "launch with a key pair": account.launch(KeyName="mine"),
        "launch into another subnet": account.launch(SubnetId=account.foreign_subnet),
        "launch into another security group": account.launch(SecurityGroupIds=[account.groups["other_env"]]),
        "guard in another group": account.schedule(group="chronos-training-prod"),
        "guard with another role": account.schedule(role="admin"),
        "guard with the instance's role": account.schedule(role=PROFILE),
        "delete another environment's guard": guard("delete_schedule", "prod"),
        "stop a task of another cluster": ("ecs", "stop_task", {"cluster": "default", "task": "0" * 32}),
        "delete the group": ("scheduler", "delete_schedule_group", {"Name": GROUP}),
        "widen the instance's role": (
            "iam", "put_role_policy", {"RoleName": PROFILE, "PolicyName": "more", "PolicyDocument": "{}"}
        ),
    }  # fmt: skip


def test_a_call_just_outside_is_refused(account: Account) -> None:
    keys = account.user(people_policy("operator", DEPLOYMENT))
    permitted = [what for what, call in beyond(account).items() if not account.refuses(keys, call)]
    assert not permitted


def test_a_call_just_outside_publishing_is_refused(account: Account) -> None:
    keys = account.user(people_policy("publisher", DEPLOYMENT))
    others = {
        "read the state": on("local/system-state.json", "get"),
        "write the lock": on("local/system-state.json", "put"),
        "read a run": on(f"{RUN}models/m", "get"),
        "list the runs": listing(Prefix="local/runs/"),
        "delete a runtime": on("runtime/a", "delete"),
        "write over an event of the audit log": on(EVENT, "put"),
        "read the audit log": on(EVENT, "get"),
        "launch": account.launch(),
        "read the settings": settings(ENV),
        "look at instances": ("ec2", "describe_instances", {}),
    }
    assert [what for what, call in others.items() if not account.refuses(keys, call)] == []


def test_a_call_just_outside_administering_is_refused(account: Account) -> None:
    keys = account.user(people_policy("administrator", DEPLOYMENT))
    ec2, tagged = account.aws.client("ec2"), {"TagSpecifications": spec("vpc", tags(env="prod"))}
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", **tagged)["Vpc"]["VpcId"]
    document = {"PolicyDocument": "{}"}
    others: dict[str, Call] = {
        "launch": account.launch(),
        "end an instance": account.end("instance", "own"),
        "read a dataset": on("cached-datasets/a/manifest.json", "get"),
        "write the state": on("local/system-state.json", "put"),
        "make another bucket": ("s3", "create_bucket", {"Bucket": "another-bucket"}),
        "make a VPC without tags": ("ec2", "create_vpc", {"CidrBlock": "10.8.0.0/16"}),
        "make another environment's VPC": ("ec2", "create_vpc", {"CidrBlock": "10.8.0.0/16", **tagged}),
        "make a subnet in another's VPC": (
            "ec2", "create_subnet",
            {"VpcId": vpc, "CidrBlock": "10.9.0.0/24", "TagSpecifications": spec("subnet", tags())},
        ),
        "tag another's VPC as its own": ("ec2", "create_tags", {"Resources": [vpc], "Tags": tags()}),
        "delete another's VPC": ("ec2", "delete_vpc", {"VpcId": vpc}),
        "open another's group": (
            "ec2", "authorize_security_group_ingress",
            {"GroupId": account.groups["other_env"], "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"},
        ),
        "make another role": ("iam", "create_role", {"RoleName": "mine", "AssumeRolePolicyDocument": "{}"}),
        "write another role's policy": ("iam", "put_role_policy", {"RoleName": "admin", "PolicyName": "p", **document}),
        "attach a policy to its role": (
            "iam", "attach_role_policy", {"RoleName": PROFILE, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
        ),
        "attach a policy to somebody": (
            "iam", "attach_user_policy",
            {"UserName": "user1", "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/{GROUP}-administrator"},
        ),
        "detach another policy": (
            "iam", "detach_user_policy", {"UserName": "user1", "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/user1-only"}
        ),
        "put another role into its profile": (
            "iam", "add_role_to_instance_profile", {"InstanceProfileName": PROFILE, "RoleName": "admin"}
        ),
        "make another policy": ("iam", "create_policy", {"PolicyName": "mine", **document}),
        "make a user": ("iam", "create_user", {"UserName": "mine"}),
        "remove another environment's guards": ("scheduler", "delete_schedule_group", {"Name": "chronos-training-prod"}),
        "delete another environment's queue": ("sqs", "delete_queue", {"QueueUrl": account.queues["prod"]}),
        "write another environment's settings": (
            "ssm", "put_parameter", {"Name": "/chronos-training/prod/bucket", "Value": "x", "Type": "String"}
        ),
    }  # fmt: skip
    assert [what for what, call in others.items() if not account.refuses(keys, call)] == []


def test_whoever_watches_changes_nothing_and_reads_no_model_data_or_log(account: Account) -> None:
    keys = account.user(people_policy("monitor", DEPLOYMENT))
    watching = {json.dumps(call) for call in WATCHING}
    everything = [*allowed("operator", account), *PUBLISHING]
    others = [call for call in everything if json.dumps(call) not in watching]
    others += [on(key, "get") for key in (f"{RUN}models/m", "local/logs/1/training.log", "prod/system-state.json")]
    others += [listing(), listing(Prefix="prod/"), settings("prod"), guard("get_schedule", "prod")]
    permitted = [call for call in others if not account.refuses(keys, call)]
    assert not permitted


@pytest.mark.parametrize("kind", TASKS)
def test_it_fits_into_a_managed_policy(kind: str) -> None:
    env, region = "production", "ap-southeast-1"
    policy = people_policy(kind, Deployment(f"chronos-training-{env}-{ACCOUNT}-{region}", env, region=region))
    assert len("".join(json.dumps(policy).split())) <= LARGEST_POLICY - ROOM


def test_the_roles_policies_leave_room_too() -> None:
    deployment = Deployment(
        f"chronos-training-production-{ACCOUNT}-ap-southeast-1", "production", region="ap-southeast-1"
    )
    for policy in (instance_policy(deployment), guard_policy(deployment)):
        assert len("".join(json.dumps(policy).split())) <= LARGEST_INLINE / 2
    assert len(json.dumps(tls_only(deployment.bucket))) <= LARGEST_BUCKET_POLICY / 2
