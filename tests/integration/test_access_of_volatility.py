"""The volatility stack's roles, statement by statement: each part is needed, and a call just outside is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from chronos_training.control.volatility import bucket as buckets
from local_aws.home import ACCESS_KEY, SECRET_KEY, Home
from local_aws.iam.needs import IN_THE_CLEAR_HEADER
from local_aws.services.sts import github
from local_aws.testing import EmbeddedAws
from tests.integration.access_account import Call, Json, reduced
from tests.volatility_policies import ACCOUNT, REGION, roles, value

BUCKET, TABLE = value("volatility_bucket"), value("volatility_table")
GROUPS, FUNCTIONS = value("volatility_log_groups"), value("volatility_function_names")
SECRETS, REPOSITORIES = value("volatility_secrets"), value("volatility_repositories")
CHAIN = value("volatility_chain_arn")
REFUSALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403"}
DATA = ("ingest", "features", "training", "gate", "infer", "check", "api")
# What Step Functions does with the machine's role when a machine is made; nobody calls it.
BY_THE_SERVICE = ("HearOfTheEnd", "DeliverTheLog")


class Account:
    """The stack's key, bucket, table, secrets, repository and logs, and one user whose policy is changed."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        policy = json.dumps(value("volatility_storage_key_policy"))
        self.key = aws.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
        s3 = aws.client("s3")
        want = buckets.wanted(BUCKET, self.key, {"Stack": "volatility"}, snapshot_days=400, upload_days=7)
        buckets.ensure_present(s3, BUCKET, REGION, want, check_mode=False)
        aws.client("dynamodb").create_table(
            TableName=TABLE, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "as_of_date", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "as_of_date", "AttributeType": "S"}],
        )  # fmt: skip
        for name in SECRETS.values():
            aws.client("secretsmanager").create_secret(Name=name, SecretString="s")
        for name in GROUPS.values():
            aws.client("logs").create_log_group(logGroupName=name)
        aws.client("ecr").create_repository(repositoryName=REPOSITORIES["batch"])
        self.roles = roles(self.key, volatility_identity_mirror=True, volatility_identity_macro=True)
        self.task_definition = self._task_definition()
        self._users = 0

    def user(self, policy: Json) -> dict[str, str]:
        self._users += 1
        return self.aws.new_user(f"user{self._users}", only=policy)

    def change(self, policy: Json) -> None:
        self.aws.change_policy(f"arn:aws:iam::{ACCOUNT}:policy/user{self._users}-only", policy)

    def refuses(self, keys: dict[str, str], call: Call) -> bool:
        service, operation, arguments = call
        try:
            getattr(self.aws.client(service, credentials=keys), operation)(**arguments)
        except ClientError as error:
            return str(error.response["Error"]["Code"]) in REFUSALS
        return False

    def store(self, calls: list[Call]) -> None:
        """Store what the calls read: an absent key is a 403 to whoever may list only below a prefix."""
        s3 = self.aws.client("s3")
        for _, operation, arguments in calls:
            if operation == "get_object":
                s3.put_object(**arguments, Body=b"{}")

    def _task_definition(self) -> str:
        iam, ecs = self.aws.client("iam"), self.aws.client("ecs")
        for kind in ("training", "execution"):
            iam.create_role(
                RoleName=f"volatility-local-{kind}", AssumeRolePolicyDocument=json.dumps(self.roles[kind]["trust"])
            )
        role = f"arn:aws:iam::{ACCOUNT}:role/volatility-local-"
        made = ecs.register_task_definition(
            family=value("volatility_task_family"), cpu="256", memory="512", networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"], executionRoleArn=f"{role}execution", taskRoleArn=f"{role}training",
            containerDefinitions=[{"name": "train", "image": "x"}],
        )  # fmt: skip
        return str(made["taskDefinition"]["taskDefinitionArn"])


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    server = EmbeddedAws(tmp_path_factory.mktemp("roles") / "home")
    yield Account(server)
    server.stop()


def keys_of(listed: Any) -> list[str]:
    return [str(one).replace("*", "a") for one in listed]


def of_data(who: str) -> list[Call]:
    """What a step, the training or the API does: with every kind of object that its policy names."""
    data = value("__volatility_identity_data")[who]
    reads: list[Call] = [("s3", "get_object", {"Bucket": BUCKET, "Key": key}) for key in keys_of(data["reads"])]
    lists: list[Call] = [("s3", "list_objects_v2", {"Bucket": BUCKET, "Prefix": key}) for key in keys_of(data["reads"])]
    appends: list[Call] = [
        ("s3", "put_object", {"Bucket": BUCKET, "Key": key, "Body": b"{}", "IfNoneMatch": "*"})
        for key in keys_of(data["appends"])
    ]
    replaces: list[Call] = [
        ("s3", "put_object", {"Bucket": BUCKET, "Key": key, "Body": b"{}"}) for key in keys_of(data["replaces"])
    ]
    # One append of a new object: where an object lies, S3 refuses before it needs the key.
    return [*reads, *lists, *appends, *replaces, *(of_a_log(who) if who != "training" else []), *switched(who)]


def of_a_log(who: str) -> list[Call]:
    stream = {"logGroupName": GROUPS[who], "logStreamName": "a"}
    events = [{"timestamp": 1_800_000_000_000, "message": "m"}]
    return [("logs", "create_log_stream", stream), ("logs", "put_log_events", {**stream, "logEvents": events})]


def switched(who: str) -> list[Call]:
    item = {"as_of_date": {"S": "2026-01-02"}}
    calls: dict[str, list[Call]] = {
        "ingest": [("secretsmanager", "get_secret_value", {"SecretId": SECRETS["fred_key"]})],
        "infer": [("dynamodb", "put_item", {"TableName": TABLE, "Item": item})],
        "api": [("dynamodb", "get_item", {"TableName": TABLE, "Key": item})],
    }
    return calls.get(who, [])


def unnoticed(account: Account, whole: Json, calls: list[Call]) -> list[str]:
    """Return what could be taken from the policy without any of the calls being refused; all are allowed with the whole."""
    keys = account.user(whole)
    account.store(calls)

    def refused() -> Iterator[str]:
        return (f"{service}.{operation} {arguments}" for service, operation, arguments in calls
                if account.refuses(keys, (service, operation, arguments)))  # fmt: skip

    assert list(refused()) == []
    found = []
    for what, less in reduced(whole):
        if not less["Statement"] or any([] in (one["Action"], one["Resource"]) for one in less["Statement"]):
            continue  # it was the only one: without the statement is tried anyway
        account.change(less)
        if not any(refused()):
            found.append(what)
    account.change(whole)
    assert list(refused()) == []
    return found


@pytest.mark.parametrize("who", DATA)
def test_nothing_can_be_taken_from_what_works_with_the_data(account: Account, who: str) -> None:
    assert unnoticed(account, account.roles[who]["policy"], of_data(who)) == []


def of_the_chain(account: Account) -> list[Call]:
    cluster, task = value("volatility_cluster"), f"{value('volatility_cluster')}/0123456789abcdef0123456789abcdef"
    task_arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{task}"
    return [
        *[("lambda", "invoke", {"FunctionName": FUNCTIONS[name]}) for name in DATA if name not in ("training", "api")],
        ("ecs", "run_task", {"cluster": cluster, "taskDefinition": account.task_definition}),
        ("ecs", "describe_tasks", {"cluster": cluster, "tasks": [task_arn]}),
        ("ecs", "stop_task", {"cluster": cluster, "task": task_arn}),
    ]


OTHERS = {
    "execution": lambda account: [
        ("ecr", "get_authorization_token", {}),
        ("ecr", "batch_get_image", {"repositoryName": REPOSITORIES["batch"], "imageIds": [{"imageTag": "a"}]}),
        ("ecr", "get_download_url_for_layer",
         {"repositoryName": REPOSITORIES["batch"], "layerDigest": f"sha256:{'0' * 64}"}),
        *of_a_log("train"),
    ],
    "chain": of_the_chain,
    "scheduler": lambda account: [
        ("stepfunctions", "start_execution", {"stateMachineArn": CHAIN}),
        ("lambda", "invoke", {"FunctionName": FUNCTIONS["check"]}),
    ],
    "notifier": lambda account: [
        ("secretsmanager", "get_secret_value", {"SecretId": SECRETS["slack_webhook"]}),
        *of_a_log("notifier"),
    ],
    "gateway": lambda account: [
        *of_a_log("gateway"),
        ("logs", "describe_log_streams", {"logGroupName": GROUPS["gateway"]}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("who", OTHERS)
def test_nothing_can_be_taken_from_the_others(account: Account, who: str) -> None:
    policy = account.roles[who]["policy"]
    called = {**policy, "Statement": [one for one in policy["Statement"] if one["Sid"] not in BY_THE_SERVICE]}
    assert unnoticed(account, called, OTHERS[who](account)) == []


def test_step_functions_needs_the_rest_of_the_chains_role(account: Account) -> None:
    iam, machines = account.aws.client("iam"), account.aws.client("stepfunctions")
    chain, name = account.roles["chain"], "volatility-local-chain"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(chain["trust"]))
    task = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": True,
            "Parameters": {"Cluster": value("volatility_cluster"), "TaskDefinition": account.task_definition}}  # fmt: skip
    given = {
        "name": CHAIN.rpartition(":")[2],
        "definition": json.dumps({"StartAt": "Train", "States": {"Train": task}}),
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "loggingConfiguration": {
            "level": "ALL",
            "destinations": [
                {"cloudWatchLogsLogGroup": {"logGroupArn": f"{value('volatility_log_group_arns')['chain']}:*"}}
            ],
        },
    }

    def may(policy: Json) -> bool:
        iam.put_role_policy(RoleName=name, PolicyName="volatility", PolicyDocument=json.dumps(policy))
        try:
            machines.delete_state_machine(stateMachineArn=machines.create_state_machine(**given)["stateMachineArn"])
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            return False
        return True

    whole = chain["policy"]
    assert may(whole)
    mine = [(what, less) for what, less in reduced(whole) if re.match("|".join(BY_THE_SERVICE), what)]
    assert len(mine) == 2 + 3 + 8
    assert [what for what, less in mine if may(less)] == []


# Of a role, calls just outside.
BEYOND: dict[str, dict[str, Call]] = {
    "infer": {
        "write over a prediction": ("s3", "put_object", {"Bucket": BUCKET, "Key": "predictions_daily/a", "Body": b"1"}),
        "delete a prediction": ("s3", "delete_object", {"Bucket": BUCKET, "Key": "predictions_daily/a"}),
        "promote": ("s3", "put_object", {"Bucket": BUCKET, "Key": "models/champion.json", "Body": b"1"}),
        "write a model": ("s3", "put_object",
                          {"Bucket": BUCKET, "Key": "artifacts/model/a", "Body": b"1", "IfNoneMatch": "*"}),
        "list the whole bucket": ("s3", "list_objects_v2", {"Bucket": BUCKET}),
        "use the key itself": ("kms", "decrypt", {"KeyId": "KEY", "CiphertextBlob": b"1"}),
        "read a secret": ("secretsmanager", "get_secret_value", {"SecretId": SECRETS["api_key"]}),
        "write another log": ("logs", "create_log_stream", {"logGroupName": GROUPS["gate"], "logStreamName": "b"}),
    },
    "api": {
        "read prices": ("s3", "get_object", {"Bucket": BUCKET, "Key": "raw.market/a"}),
        "read features": ("s3", "get_object", {"Bucket": BUCKET, "Key": "features_daily/a"}),
        "write a prediction": ("s3", "put_object",
                               {"Bucket": BUCKET, "Key": "serving/predictions/b", "Body": b"1", "IfNoneMatch": "*"}),
        "write the mirror": ("dynamodb", "put_item", {"TableName": TABLE, "Item": {"as_of_date": {"S": "2026-01-02"}}}),
        "scan the mirror": ("dynamodb", "scan", {"TableName": TABLE}),
    },
    "training": {
        "promote": ("s3", "put_object", {"Bucket": BUCKET, "Key": "models/champion.json", "Body": b"1"}),
        "write over a model": ("s3", "put_object", {"Bucket": BUCKET, "Key": "artifacts/model/a", "Body": b"1"}),
    },
    "scheduler": {
        "start another machine": ("stepfunctions", "start_execution", {"stateMachineArn": f"{CHAIN}2"}),
        "run a step": ("lambda", "invoke", {"FunctionName": FUNCTIONS["gate"]}),
    },
    "chain": {
        "call the notifier": ("lambda", "invoke", {"FunctionName": FUNCTIONS["notifier"]}),
        "run on another cluster": ("ecs", "run_task", {"cluster": "default", "taskDefinition": "TASK"}),
        "stop another task": ("ecs", "stop_task", {"cluster": "default", "task": "0" * 32}),
    },
}  # fmt: skip


@pytest.mark.parametrize("who", BEYOND)
def test_a_call_just_outside_is_refused(account: Account, who: str) -> None:
    known = {"KEY": account.key, "TASK": account.task_definition}
    keys = account.user(account.roles[who]["policy"])
    allowed = []
    for what, (service, operation, arguments) in BEYOND[who].items():
        given = {name: known.get(one, one) if isinstance(one, str) else one for name, one in arguments.items()}
        if not account.refuses(keys, (service, operation, given)):
            allowed.append(what)
    assert allowed == []


def test_objects_are_under_the_stacks_key_and_no_other(account: Account) -> None:
    """Also for the account's root: an explicit Deny is for everybody."""
    s3 = account.aws.client("s3")
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"1")
    head = s3.head_object(Bucket=BUCKET, Key="a")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", account.key)
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=account.key)
    other = account.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    for wrong in ({"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": other}):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=BUCKET, Key="a", Body=b"1", **wrong)


def test_a_request_without_tls_is_refused(account: Account) -> None:
    """Also the owner's, and whatever it is for."""
    owner = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    s3 = boto3.client("s3", region_name=REGION, endpoint_url=account.aws.endpoint, **owner)
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"1")
    s3.meta.events.register(
        "before-send.s3", lambda request, **_: request.headers.__setitem__(IN_THE_CLEAR_HEADER, "true")
    )
    for operation, given in (("put_object", {"Key": "a"}), ("get_object", {"Key": "a"}), ("list_objects_v2", {})):
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(s3, operation)(Bucket=BUCKET, **given)


@pytest.mark.parametrize(
    ("job", "right"),
    [
        ({"repository": "acme/forecasts", "environment": "local"}, True),
        ({"repository": "acme/forecasts", "environment": "prod"}, False),
        ({"repository": "acme/forecasts", "environment": "local", "ref": "refs/heads/mine"}, False),
        ({"repository": "acme/forecasts"}, False),
        ({"repository": "mallory/forecasts", "environment": "local"}, False),
    ],
)
def test_the_deployer_is_taken_by_its_job_alone(account: Account, job: dict[str, str], right: bool) -> None:
    iam, deployer = account.aws.client("iam"), account.roles["deployer"]
    if not iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        iam.create_open_id_connect_provider(
            Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"]
        )
        iam.create_role(RoleName="volatility-local-deployer", AssumeRolePolicyDocument=json.dumps(deployer["trust"]))
    sts = boto3.client(
        "sts", region_name=REGION, endpoint_url=account.aws.endpoint, config=Config(signature_version=UNSIGNED)
    )
    given = {
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/volatility-local-deployer",
        "RoleSessionName": "deploy",
        "WebIdentityToken": github.token(Home(account.aws.home), **job),
    }
    if right:
        assert sts.assume_role_with_web_identity(**given)["Credentials"]
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role_with_web_identity(**given)
