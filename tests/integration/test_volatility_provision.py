"""The volatility stack's persistent part, made, mended and removed by its playbooks against the embedded AWS."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import pytest

from chronos_training.control.volatility.survey import FINDERS, Stack, find
from chronos_training.core import aws as clients
from tests.integration.test_provision import changes, play
from tests.volatility_policies import ACCOUNT, REGION, roles

BUCKET = f"volatility-local-{ACCOUNT}-{REGION}"
REPOSITORY = ("-e", "volatility_identity_github_repository=acme/forecasts")
TAGS = {"Stack": "volatility", "Project": "Chronos-Volatility", "Environment": "local", "CostCenter": "research",
        "ManagedBy": "Ansible"}  # fmt: skip
SECRETS = ["volatility/local/api-key", "volatility/local/slack-webhook"]
DATA = "raw.market/date=2026-01-02/0000-00000000.parquet"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def network(aws: Any) -> Any:
    """What the training stack publishes of its network."""
    ec2, ssm = aws.client("ec2"), aws.client("ssm")
    subnets = ec2.describe_subnets()["Subnets"][:2]
    values = {"vpc_id": subnets[0]["VpcId"], "subnet_ids": ",".join(one["SubnetId"] for one in subnets)}
    for name, value in values.items():
        ssm.put_parameter(Name=f"/chronos-training/local/{name}", Value=value, Type="String")
    return aws


@pytest.fixture
def stack(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What exists, as the teardown sees it: by kind."""
    for name, value in aws.env.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(clients, "_session", None)

    def seen() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for one in find(Stack("local", REGION, ACCOUNT)):
            found.setdefault(one.kind, []).append(one.identity)
        return found

    return seen


def tagged(listed: list[dict[str, str]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    return {one[key]: one[value] for one in listed}


def test_a_preview_of_an_empty_account_says_what_would_be_made_and_costs_and_makes_nothing(
    aws: Any, stack: Any
) -> None:
    status, output = play(aws, "provision_volatility", "--check", "--diff", *REPOSITORY)
    assert status == 0, output
    # Security group; key, bucket, secrets; GitHub's provider, the role of ECS, roles; parameters.
    assert changes(output) == 8, output
    for shown in ("volatility-local-train", BUCKET, *SECRETS, "DenyAnotherKey", "states:StartExecution", "key_arn"):
        assert shown in output, shown
    assert "together" in output and "List prices of us-east-1" in output
    assert stack() == {} and aws.client("kms").list_keys()["Keys"] == []
    assert aws.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


def test_without_the_training_stacks_network_nothing_is_made(aws: Any, stack: Any) -> None:
    status, output = play(aws, "provision_volatility")
    assert status != 0 and "environment local has none in us-east-1. Provision it first: make provision" in output
    assert stack() == {}


def test_the_life_of_a_stack(network: Any, stack: Any) -> None:
    aws = network
    s3, iam = aws.client("s3"), aws.client("iam")
    status, output = play(aws, "provision_volatility", *REPOSITORY, "-e", "volatility_mirror=true")
    assert (status, changes(output)) == (0, 10), output
    right(aws)

    for more in ((), ("--check", "--diff")):
        status, output = play(aws, "provision_volatility", *REPOSITORY, "-e", "volatility_mirror=true", *more)
        assert (status, changes(output)) == (0, 0), output

    # By hand somebody lets the bucket take anything, a step do anything, and a job of any branch deploy.
    value = aws.client("secretsmanager").get_secret_value(SecretId=SECRETS[0])["SecretString"]
    s3.delete_bucket_policy(Bucket=BUCKET)
    anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="volatility-local-infer", PolicyName="volatility", PolicyDocument=json.dumps(anything))
    trust = iam.get_role(RoleName="volatility-local-deployer")["Role"]["AssumeRolePolicyDocument"]
    del trust["Statement"][0]["Condition"]["StringEquals"]["token.actions.githubusercontent.com:ref"]
    iam.update_assume_role_policy(RoleName="volatility-local-deployer", PolicyDocument=json.dumps(trust))
    status, output = play(aws, "provision_volatility", *REPOSITORY, "-e", "volatility_mirror=true")
    assert (status, changes(output)) == (0, 3), output
    right(aws)
    assert aws.client("secretsmanager").get_secret_value(SecretId=SECRETS[0])["SecretString"] == value

    s3.put_object(Bucket=BUCKET, Key=DATA, Body=b"prices")
    execution = deploy_one_of_each(aws)
    assert set(stack()) == {*FINDERS} - {"task"}
    status, output = play(aws, "teardown_volatility")
    assert status != 0 and "The chain is at work" in output and execution in output, output
    aws.client("stepfunctions").stop_execution(executionArn=execution)

    status, output = play(aws, "teardown_volatility", "-e", "volatility_teardown_delete_bucket=another-bucket")
    assert status != 0 and "Nothing was removed" in output and BUCKET in output
    before = stack()
    status, output = play(aws, "teardown_volatility", "--check")
    assert status == 0 and stack() == before, output
    would = re.findall(r"would change: (.*)", output)

    status, output = play(aws, "teardown_volatility")
    assert status == 0 and re.findall(r"changed: (.*)", output) == would, output
    assert set(stack()) == {"bucket", "key"} and "were kept" in output
    assert s3.get_object(Bucket=BUCKET, Key=DATA)["Body"].read() == b"prices"
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == [
        "AWSServiceRoleForECS"
    ]  # of other clusters, too
    status, output = play(aws, "teardown_volatility")
    assert (status, changes(output)) == (0, 0), output

    # Made again it finds its data, under the same key.
    status, output = play(aws, "provision_volatility")
    assert status == 0 and "changed: Storage | Make the key" not in output, output
    assert s3.get_object(Bucket=BUCKET, Key=DATA)["Body"].read() == b"prices"

    status, output = play(aws, "teardown_volatility", "-e", f"volatility_teardown_delete_bucket={BUCKET}")
    assert status == 0 and "Nothing exists." in output and stack() == {}, output
    (key,) = aws.client("kms").list_keys()["Keys"]
    assert aws.client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "PendingDeletion"


def right(aws: Any) -> None:
    """Everything is as it must be."""
    s3, kms, secrets = (aws.client(name) for name in ("s3", "kms", "secretsmanager"))
    key = kms.describe_key(KeyId="alias/volatility-local")["KeyMetadata"]
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    rule = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
    assert rule["BucketKeyEnabled"]
    denied = [one["Sid"] for one in json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]]
    assert denied == ["DenyWithoutTls", "DenyAnotherEncryption", "DenyAnotherKey"]
    assert tagged(s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]) == TAGS
    assert tagged(kms.list_resource_tags(KeyId=key["KeyId"])["Tags"], "TagKey", "TagValue") == TAGS
    assert sorted(one["Name"] for one in secrets.list_secrets()["SecretList"]) == SECRETS
    assert len(secrets.get_secret_value(SecretId=SECRETS[0])["SecretString"]) == 40
    for name in SECRETS:
        assert tagged(secrets.describe_secret(SecretId=name)["Tags"]) == TAGS
    right_roles(aws, key["Arn"])
    (group,) = aws.client("ec2").describe_security_groups(
        Filters=[{"Name": "group-name", "Values": ["volatility-local-train"]}]
    )["SecurityGroups"]
    assert group["IpPermissions"] == []
    assert [(one["FromPort"], one["ToPort"]) for one in group["IpPermissionsEgress"]] == [(443, 443)]
    found = aws.client("ssm").get_parameters_by_path(Path="/volatility/local/")["Parameters"]
    assert {one["Name"].rpartition("/")[2]: one["Value"] for one in found} == {
        "bucket": BUCKET,
        "key_arn": key["Arn"],
        "security_group_id": group["GroupId"],
    }


def right_roles(aws: Any, key_arn: str) -> None:
    iam = aws.client("iam")
    wanted = roles(key_arn, volatility_identity_mirror=True, volatility_identity_macro=False)
    for name, role in wanted.items():
        full = f"volatility-local-{name}"
        found = iam.get_role(RoleName=full)["Role"]
        assert found["AssumeRolePolicyDocument"] == role["trust"], name
        assert tagged(found["Tags"]) == TAGS
        assert iam.list_attached_role_policies(RoleName=full)["AttachedPolicies"] == []
        assert iam.list_role_policies(RoleName=full)["PolicyNames"] == ["volatility"]
        assert iam.get_role_policy(RoleName=full, PolicyName="volatility")["PolicyDocument"] == role["policy"], name


def deploy_one_of_each(aws: Any) -> str:
    """Make something of every kind that a deployed stack has; return the ARN of an execution that runs."""
    made = {name: aws.client(name) for name in (
        "apigateway", "budgets", "cloudwatch", "ecr", "ecs", "events", "iam", "lambda", "logs", "scheduler", "sns",
        "stepfunctions",
    )}  # fmt: skip
    role = f"arn:aws:iam::{ACCOUNT}:role/volatility-local-"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("main.py", "def handler(event, context): return {}")
    made["lambda"].create_function(
        FunctionName="volatility-local-check", Role=f"{role}check", Runtime="python3.12", Handler="main.handler",
        Code={"ZipFile": archive.getvalue()},
    )  # fmt: skip
    api = made["apigateway"].create_rest_api(name="volatility-local")["id"]
    made["apigateway"].create_usage_plan(name="volatility-local")
    made["apigateway"].create_api_key(name="volatility-local-first")
    made["apigateway"].update_account(
        patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": f"{role}gateway"}]
    )
    assert api
    made["cloudwatch"].put_metric_alarm(
        AlarmName="volatility-local-missing", Namespace="Volatility", MetricName="PredictionPresent", Period=60,
        Statistic="Sum", EvaluationPeriods=1, Threshold=1, ComparisonOperator="LessThanThreshold",
    )  # fmt: skip
    made["cloudwatch"].put_dashboard(DashboardName="volatility-local", DashboardBody='{"widgets": []}')
    made["ecr"].create_repository(repositoryName="volatility-local-batch")
    made["ecs"].create_cluster(clusterName="volatility-local")
    made["ecs"].register_task_definition(
        family="volatility-local-train", cpu="2048", memory="4096", networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"], executionRoleArn=f"{role}execution",
        containerDefinitions=[{"name": "train", "image": "volatility-local-batch"}],
    )  # fmt: skip
    made["events"].put_rule(Name="volatility-local-failed", EventPattern='{"source": ["aws.states"]}')
    made["logs"].create_log_group(logGroupName="/aws/lambda/volatility-local-infer")
    made["sns"].create_topic(Name="volatility-local-alarms")
    made["budgets"].create_budget(
        AccountId=ACCOUNT,
        Budget={"BudgetName": "volatility-local", "BudgetType": "COST", "TimeUnit": "MONTHLY",
                "BudgetLimit": {"Amount": "10", "Unit": "USD"}},
    )  # fmt: skip
    waits = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
    chain = made["stepfunctions"].create_state_machine(
        name="volatility-local-daily", definition=json.dumps(waits), roleArn=f"{role}chain"
    )["stateMachineArn"]
    made["scheduler"].create_schedule_group(Name="volatility-local")
    made["scheduler"].create_schedule(
        Name="evening", GroupName="volatility-local", ScheduleExpression="cron(5 18 ? * MON-FRI *)",
        FlexibleTimeWindow={"Mode": "OFF"}, Target={"Arn": chain, "RoleArn": f"{role}scheduler"},
    )  # fmt: skip
    return str(made["stepfunctions"].start_execution(stateMachineArn=chain)["executionArn"])
