"""The playbooks that make and remove the persistent resources, run as a person runs them, against the embedded AWS.

One AWS task costs most of a second, so the life of an environment is told in one test, in the order in which it happens.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chronos_training.control.provision.names import TASKS
from tests.policies import Deployment, people_policy

ROOT = Path(__file__).parents[2]
TAGS = {"Project": "Chronos-Training", "Environment": "local", "CostCenter": "research", "ManagedBy": "Ansible"}
TAG_FILTERS = [
    {"Name": "tag:Project", "Values": ["Chronos-Training"]},
    {"Name": "tag:Environment", "Values": ["local"]},
]
INSTANCE_NAME = "chronos-training-local-instance"
GUARD_ROLE_NAME, GUARD_GROUP = "chronos-training-local-scheduler", "chronos-training-local"
QUEUE_NAME = "chronos-training-local-guard-dlq"
PEOPLE = {f"chronos-training-local-{task}": task for task in TASKS}

pytestmark = pytest.mark.timeout(900)


# The check after deployment without what mends before it: the other roles lend it their variables only.
CHECK_ALONE = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: training_context
    - {role: training_storage, when: false}
    - {role: training_network, when: false}
    - {role: training_identity, when: false}
    - {role: training_guard, when: false}
    - {role: training_access, when: false}
  tasks:
    - import_role: {name: training_checks, tasks_from: infrastructure_check}
      vars: {training_infrastructure_check_patience_seconds: 0}
"""


def play(aws: Any, playbook: str, *arguments: str) -> tuple[int, str]:
    """Run a playbook (or one given as text) against `aws`; return its exit status and everything it printed."""
    path = f"playbooks/{playbook}.yml"
    if "\n" in playbook:
        path = str(aws.home / "playbook.yml")
        Path(path).write_text(playbook)
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), path, *arguments],
        cwd=ROOT,
        env=os.environ | {k: str(v) for k, v in aws.env.items()} | {"LOCAL_AWS_HOME": str(aws.home), "NO_COLOR": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout


def changes(output: str) -> int:
    """Return how many tasks the recap says changed something, or would."""
    return int(re.findall(r"changed=(\d+)", output)[-1])


def parameters(aws: Any) -> dict[str, str]:
    found = aws.client("ssm").get_parameters_by_path(Path="/chronos-training/local/")["Parameters"]
    return {p["Name"].rsplit("/", 1)[1]: p["Value"] for p in found}


def network(aws: Any) -> dict[str, list[dict[str, Any]]]:
    ec2 = aws.client("ec2")
    return {
        "vpcs": ec2.describe_vpcs(Filters=TAG_FILTERS)["Vpcs"],
        "subnets": ec2.describe_subnets(Filters=TAG_FILTERS)["Subnets"],
        "gateways": ec2.describe_internet_gateways(Filters=TAG_FILTERS)["InternetGateways"],
        "tables": ec2.describe_route_tables(Filters=TAG_FILTERS)["RouteTables"],
        "endpoints": [
            e for e in ec2.describe_vpc_endpoints(Filters=TAG_FILTERS)["VpcEndpoints"] if e["State"] == "available"
        ],
        "groups": ec2.describe_security_groups(Filters=TAG_FILTERS)["SecurityGroups"],
    }


def test_a_preview_of_an_empty_account_says_what_would_be_made_and_makes_nothing(aws: Any) -> None:
    status, output = play(aws, "provision_infrastructure", "--check", "--diff")
    assert status == 0, output
    # VPC, gateway, subnets, route table, endpoint, security group; bucket; role, profile; the guard's group and queue, its
    # role; the user policies; parameters.
    assert changes(output) == 13
    table = [line.strip() for line in output.splitlines() if "would be created" in line]
    assert len(table) == 19 and any(line.startswith("S3 gateway endpoint") for line in table)
    # The preview shows the properties that a person wants to see before they are real.
    assert "BlockPublicPolicy: true" in output and "ec2:TerminateInstances" in output
    assert "sqs:SendMessage" in output and "SqsManagedSseEnabled" in output
    assert not any(network(aws).values()) and parameters(aws) == {}
    assert aws.client("s3").list_buckets()["Buckets"] == [] and no_guard(aws)


def test_the_life_of_an_environment(aws: Any) -> None:
    s3 = aws.client("s3")

    status, output = play(aws, "provision_infrastructure")
    assert status == 0, output
    assert changes(output) == 15
    lifecycle = [
        line.split()[0]
        for line in output.splitlines()
        if line.startswith(("    long-lived", "    ephemeral", "    manual"))
    ]
    assert lifecycle == ["long-lived", "ephemeral", "manual"], output
    bucket = parameters(aws)["bucket"]
    right_network(aws)
    right_bucket(aws, bucket)
    right_identity(aws)
    right_guard(aws)
    right_access(aws, bucket)

    status, output = play(aws, "provision_infrastructure")
    assert (status, changes(output)) == (0, 0), output
    status, output = play(aws, "provision_infrastructure", "--check", "--diff")
    assert (status, changes(output)) == (0, 0), output

    # Somebody opened it up by hand. The next run says what it repairs, and repairs exactly that.
    group = network(aws)["groups"][0]["GroupId"]
    aws.client("ec2").authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    s3.delete_public_access_block(Bucket=bucket)
    queue = aws.client("sqs").get_queue_url(QueueName=QUEUE_NAME)["QueueUrl"]
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": "", "SqsManagedSseEnabled": "false"})
    status, output = play(aws, "provision_infrastructure")
    assert (status, changes(output)) == (0, 3), output
    right_network(aws)
    right_bucket(aws, bucket)
    right_guard(aws)

    # Somebody let those who watch do more, and nobody run trainings.
    edit_policies_for_people(aws)
    status, output = play(aws, CHECK_ALONE)
    assert status != 0 and "The policy chronos-training-local-operator differs from what it should allow" in output, (
        output
    )
    assert "ListUploads is missing" in output and "ReadSettings was changed" in output
    assert "The policy chronos-training-local-monitor differs from what it should allow: TakeAll was added" in output
    assert "Restore it: make provision" in output and "Traceback" not in output
    status, output = play(aws, "provision_infrastructure", "--check", "--diff")
    assert (status, changes(output)) == (0, 1), output
    assert policy_documents(aws)["chronos-training-local-monitor"]["Statement"][-1]["Sid"] == "TakeAll"
    status, output = play(aws, "provision_infrastructure")
    assert (status, changes(output)) == (0, 1), output
    right_access(aws, bucket)
    status, output = play(aws, CHECK_ALONE)
    assert status == 0, output

    # A run is active: its state file is there.
    s3.put_object(Bucket=bucket, Key="local/system-state.json", Body=b"{}")
    status, output = play(aws, "teardown_infrastructure")
    assert status != 0 and f"its state file s3://{bucket}/local/system-state.json exists" in output
    assert "Nothing was removed" in output and len(network(aws)["subnets"]) == 3
    s3.delete_object(Bucket=bucket, Key="local/system-state.json")

    s3.put_object(Bucket=bucket, Key="local/runs/2026/01/01-120000/models/m", Body=b"a model")
    status, output = play(aws, "teardown_infrastructure", "-e", "training_teardown_delete_bucket=another-bucket")
    assert status != 0 and "Nothing was removed" in output and bucket in output
    assert len(network(aws)["subnets"]) == 3

    status, output = play(aws, "teardown_infrastructure", "--check")
    assert (status, changes(output)) == (0, 12), output
    assert len(network(aws)["subnets"]) == 3 and not no_guard(aws)

    status, output = play(aws, "teardown_infrastructure")
    assert (status, changes(output)) == (0, 12), output
    assert not any(network(aws).values()) and parameters(aws) == {}
    assert no_identity(aws) and no_guard(aws)
    assert s3.get_object(Bucket=bucket, Key="local/runs/2026/01/01-120000/models/m")["Body"].read() == b"a model"
    assert "were kept" in output

    status, output = play(aws, "teardown_infrastructure", "-e", f"training_teardown_delete_bucket={bucket}")
    assert (status, changes(output)) == (0, 1), output
    assert s3.list_buckets()["Buckets"] == []

    status, output = play(aws, "teardown_infrastructure", "-e", f"training_teardown_delete_bucket={bucket}")
    assert (status, changes(output)) == (0, 0), output
    assert "Nothing exists." in output


def right_network(aws: Any) -> None:
    seen = network(aws)
    assert {kind: len(found) for kind, found in seen.items()} == {
        "vpcs": 1,
        "subnets": 3,
        "gateways": 1,
        "tables": 1,
        "endpoints": 1,
        "groups": 1,
    }
    assert len({subnet["AvailabilityZone"] for subnet in seen["subnets"]}) == 3
    assert all(subnet["MapPublicIpOnLaunch"] for subnet in seen["subnets"])
    assert seen["endpoints"][0]["RouteTableIds"] == [seen["tables"][0]["RouteTableId"]]
    group = seen["groups"][0]
    assert group["GroupName"] == INSTANCE_NAME
    among_themselves = ("tcp", 0, 65535, [group["GroupId"]], [])
    assert rules(group["IpPermissions"]) == [among_themselves]
    assert rules(group["IpPermissionsEgress"]) == [among_themselves, ("tcp", 443, 443, [], ["0.0.0.0/0"])]
    for found in seen.values():
        for resource in found:
            assert TAGS.items() <= {tag["Key"]: tag["Value"] for tag in resource["Tags"]}.items()
    published = parameters(aws)
    assert published["vpc_id"] == seen["vpcs"][0]["VpcId"]
    assert sorted(published["subnet_ids"].split(",")) == sorted(s["SubnetId"] for s in seen["subnets"])
    assert published["security_group_id"] == group["GroupId"]
    assert published["instance_profile"] == INSTANCE_NAME and published["region"] == "us-east-1"


def rules(permissions: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return rules as protocol, ports, groups and addresses."""
    return sorted(
        (
            p["IpProtocol"],
            p["FromPort"],
            p["ToPort"],
            [pair["GroupId"] for pair in p["UserIdGroupPairs"]],
            [one["CidrIp"] for one in p["IpRanges"]],
        )
        for p in permissions
    )


def right_bucket(aws: Any, bucket: str) -> None:
    s3 = aws.client("s3")
    assert re.fullmatch(r"chronos-training-local-\d{12}-us-east-1", bucket)
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert '"aws:SecureTransport": "false"' in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    rules = {r["Filter"]["Prefix"]: r for r in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}
    assert set(rules) == {"local/logs/", "local/runs/", "local/.probe-"}
    assert rules["local/logs/"]["Expiration"]["Days"] == 14
    assert rules["local/runs/"]["Expiration"]["Days"] == 90
    assert rules["local/runs/"]["Transitions"] == [{"Days": 30, "StorageClass": "STANDARD_IA"}]
    assert all(r["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7 for r in rules.values())
    assert {t["Key"]: t["Value"] for t in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]} == TAGS


def right_identity(aws: Any) -> None:
    iam = aws.client("iam")
    role = iam.get_role(RoleName=INSTANCE_NAME)["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert {t["Key"]: t["Value"] for t in role["Tags"]} == TAGS
    assert iam.list_role_policies(RoleName=INSTANCE_NAME)["PolicyNames"] == ["training-instance"]
    profile = iam.get_instance_profile(InstanceProfileName=INSTANCE_NAME)["InstanceProfile"]
    assert [r["RoleName"] for r in profile["Roles"]] == [INSTANCE_NAME]


def right_guard(aws: Any) -> None:
    role = aws.client("iam").get_role(RoleName=GUARD_ROLE_NAME)["Role"]
    trust = role["AssumeRolePolicyDocument"]["Statement"]
    assert [s["Principal"] for s in trust] == [{"Service": "scheduler.amazonaws.com"}]
    assert trust[0]["Condition"]["StringEquals"] == {
        "aws:SourceAccount": "123456789012",
        # The group, never a schedule: that is what the scheduler says it is.
        "aws:SourceArn": f"arn:aws:scheduler:us-east-1:123456789012:schedule-group/{GUARD_GROUP}",
    }
    assert aws.client("iam").list_role_policies(RoleName=GUARD_ROLE_NAME)["PolicyNames"] == ["training-guard"]
    profiles = aws.client("iam").list_instance_profiles()["InstanceProfiles"]
    assert [p["InstanceProfileName"] for p in profiles] == [INSTANCE_NAME]
    scheduler, sqs = aws.client("scheduler"), aws.client("sqs")
    group = scheduler.get_schedule_group(Name=GUARD_GROUP)
    tags = scheduler.list_tags_for_resource(ResourceArn=group["Arn"])["Tags"]
    url = sqs.get_queue_url(QueueName=QUEUE_NAME)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert queue["SqsManagedSseEnabled"] == "true" and queue["MessageRetentionPeriod"] == "1209600"
    assert '"aws:SecureTransport": "false"' in queue["Policy"]
    for found in (role["Tags"], tags):
        assert {tag["Key"]: tag["Value"] for tag in found} == TAGS
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == TAGS
    published = parameters(aws)
    assert published["guard_group"] == GUARD_GROUP and published["guard_queue_arn"] == queue["QueueArn"]
    assert published["guard_role_arn"] == role["Arn"]


def right_access(aws: Any, bucket: str) -> None:
    iam = aws.client("iam")
    policies = {p["PolicyName"]: p for p in iam.list_policies(Scope="Local")["Policies"]}
    assert set(policies) == set(PEOPLE)
    for name, kind in PEOPLE.items():
        arn = policies[name]["Arn"]
        assert policy_documents(aws)[name] == people_policy(kind, Deployment(bucket))
        assert len(iam.list_policy_versions(PolicyArn=arn)["Versions"]) == 1
        assert {t["Key"]: t["Value"] for t in iam.list_policy_tags(PolicyArn=arn)["Tags"]} == TAGS


def edit_policies_for_people(aws: Any) -> None:
    """As a person would, by hand: with so many versions that IAM takes no more."""
    iam = aws.client("iam")
    documents = policy_documents(aws)
    arn = "arn:aws:iam::123456789012:policy/chronos-training-local-"
    operator = documents["chronos-training-local-operator"]
    operator["Statement"] = [s for s in operator["Statement"] if s["Sid"] != "ListUploads"]
    operator["Statement"][0]["Resource"] = "*"
    for _ in range(4):
        iam.create_policy_version(PolicyArn=f"{arn}operator", PolicyDocument=json.dumps(operator), SetAsDefault=True)
    monitor = documents["chronos-training-local-monitor"]
    monitor["Statement"].append({"Sid": "TakeAll", "Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    iam.create_policy_version(PolicyArn=f"{arn}monitor", PolicyDocument=json.dumps(monitor), SetAsDefault=True)
    with pytest.raises(iam.exceptions.LimitExceededException):
        iam.create_policy_version(PolicyArn=f"{arn}operator", PolicyDocument=json.dumps(operator))


def policy_documents(aws: Any) -> dict[str, Any]:
    """What the user policies say; the version in force is the only one but after an edit by hand."""
    iam = aws.client("iam")
    return {
        p["PolicyName"]: iam.get_policy_version(PolicyArn=p["Arn"], VersionId=p["DefaultVersionId"])["PolicyVersion"][
            "Document"
        ]
        for p in iam.list_policies(Scope="Local")["Policies"]
    }


def no_guard(aws: Any) -> bool:
    groups = [g["Name"] for g in aws.client("scheduler").list_schedule_groups()["ScheduleGroups"]]
    return groups == ["default"] and not aws.client("sqs").list_queues().get("QueueUrls")


def no_identity(aws: Any) -> bool:
    iam = aws.client("iam")
    left = (iam.list_roles()["Roles"], iam.list_instance_profiles()["InstanceProfiles"])
    return not any([*left, iam.list_policies(Scope="Local")["Policies"]])
