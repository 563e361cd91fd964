"""The two switches of the stack: a table of DynamoDB beside the bucket, and FRED's macro series. Off, neither leaves a trace;
on, there is the one, its data, and the permission for just that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chronos_training.control.volatility import image_context
from local_aws.home import REPOSITORY_ROOT
from local_aws.testing import EmbeddedAws
from tests.integration.test_provision import changes
from tests.services.volatility.deployed import BUCKET, FREELY, Deployed, forecasts, push
from tests.unit.control.volatility.site import Request, serving
from tests.volatility_policies import ACCOUNT, REGION, value

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]

TABLE, FRED_SECRET = value("volatility_table"), value("volatility_secrets")["fred_key"]
KEY = "f" * 32
STEPS = ("ingest", "features", "training", "gate", "infer", "check", "api")
DEPLOY = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: training_inputs
    - role: volatility_inputs
    - role: volatility_pipeline
    - role: volatility_api
"""
SESSION = "2018-12-07"  # the last one that the profile offline has
SETTINGS = {"macro": ["DGS10"], "first_session": "2018-10-01"}
ON = (*FREELY, "-e", json.dumps({"volatility_mirror": True, "volatility_macro": True,
                                 "volatility_pipeline_settings": SETTINGS, "volatility_pipeline_scheduled": False}))  # fmt: skip
OFF = (*FREELY, "-e", json.dumps({"volatility_pipeline_scheduled": False}))
# Days, values and the days on which they became known: a revision is another value of its day.
RELEASES = [
    ("2018-11-28", "3.06", "2018-11-29"),
    ("2018-11-29", "3.03", "2018-11-30"),
    ("2018-11-29", "3.04", "2018-12-04"),
]


@contextmanager
def fred() -> Iterator[tuple[str, list[Request]]]:
    """What stands for api.stlouisfed.org."""

    def reply(request: Request) -> tuple[int, Any]:
        asked = {name: given[0] for name, given in parse_qs(urlsplit(request.path).query).items()}
        if asked["api_key"] != KEY:
            return 400, {"error_message": "Bad Request. The value for variable api_key is not registered."}
        known = [one for one in RELEASES if one[2] <= asked["realtime_end"]]
        return 200, {
            "observations": [dict(zip(("date", "value", "realtime_start"), one, strict=True)) for one in known]
        }

    with serving(reply) as found:
        yield found


@pytest.fixture(scope="module")
def requests_to_fred() -> Iterator[tuple[str, list[Request]]]:
    with fred() as found:
        yield found


@pytest.fixture(scope="module")
def stack(
    embedded_aws: EmbeddedAws, requests_to_fred: tuple[str, list[Request]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """A stack without schedules; where its program names FRED's address, that of the stand-in is. It begins switched off."""
    embedded_aws.reset()
    folder = tmp_path_factory.mktemp("volatility")
    made = Deployed(embedded_aws, forecasts(folder / "data"))
    made.provision()
    made.publish(folder / "context")
    source = folder / "context/src/chronos_volatility/sources/fred.py"
    image_context.write(REPOSITORY_ROOT, folder / "context")
    changed = re.sub(
        r'^URL = "https://api\.stlouisfed\.org', f'URL = "{requests_to_fred[0]}', source.read_text(), flags=re.M
    )
    assert changed != source.read_text()
    source.write_text(changed)
    batch = push(embedded_aws, folder / "context", "batch", folder)
    embedded_aws.client("ssm").put_parameter(Name="/volatility/local/batch_image", Value=batch, Type="String")
    yield made


def policies(aws: EmbeddedAws) -> dict[str, list[dict[str, Any]]]:
    """The statements of each step's role, as they are in the account."""
    iam = aws.client("iam")
    return {
        who: iam.get_role_policy(RoleName=f"volatility-local-{who}", PolicyName="volatility")["PolicyDocument"][
            "Statement"
        ]
        for who in STEPS
    }


def about(aws: EmbeddedAws, service: str) -> dict[str, list[tuple[Any, Any]]]:
    """Which roles may do what in a service: actions and resources."""
    found = {
        who: [(one["Action"], one["Resource"]) for one in statements if str(one["Action"]).startswith(f"{service}:")]
        for who, statements in policies(aws).items()
    }
    return {who: allowed for who, allowed in found.items() if allowed}


def variables(aws: EmbeddedAws, function: str) -> dict[str, str]:
    found = aws.client("lambda").get_function_configuration(FunctionName=f"volatility-local-{function}")
    return {name: given for name, given in found["Environment"]["Variables"].items() if given}


def secrets(aws: EmbeddedAws) -> set[str]:
    return {one["Name"] for one in aws.client("secretsmanager").list_secrets()["SecretList"]}


def keys(aws: EmbeddedAws, prefix: str = "") -> list[str]:
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [one["Key"] for page in pages for one in page.get("Contents", [])]


def delete(aws: EmbeddedAws, prefix: str = "") -> None:
    for key in keys(aws, prefix):
        aws.client("s3").delete_object(Bucket=BUCKET, Key=key)


def items(aws: EmbeddedAws) -> dict[str, dict[str, str]]:
    found = aws.client("dynamodb").scan(TableName=TABLE)["Items"]
    return {one["as_of_date"]["S"]: {name: given["S"] for name, given in one.items()} for one in found}


def test_switched_off_there_is_nothing_of_either(stack: Deployed) -> None:
    stack.play(DEPLOY, *OFF)
    assert stack.aws.client("dynamodb").list_tables()["TableNames"] == []
    assert FRED_SECRET not in secrets(stack.aws)
    assert about(stack.aws, "dynamodb") == about(stack.aws, "secretsmanager") == {}
    for function in ("ingest", "infer", "api"):
        assert not {"VOLATILITY_MIRROR", "VOLATILITY_FRED_SECRET"} & variables(stack.aws, function).keys()


def test_switched_on_each_role_may_do_just_that_and_a_second_pass_changes_nothing(stack: Deployed) -> None:
    assert "table" in stack.play("provision_volatility", *ON, "--check", "--diff")
    assert stack.aws.client("dynamodb").list_tables()["TableNames"] == []
    stack.play("provision_volatility", *ON)
    stack.play(DEPLOY, *ON)
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}"
    assert about(stack.aws, "dynamodb") == {
        "infer": [("dynamodb:PutItem", table)],
        "api": [("dynamodb:GetItem", table)],
    }
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{FRED_SECRET}-??????"
    assert about(stack.aws, "secretsmanager") == {"ingest": [("secretsmanager:GetSecretValue", secret)]}
    assert stack.aws.client("dynamodb").list_tables()["TableNames"] == [TABLE] and FRED_SECRET in secrets(stack.aws)
    for playbook in ("provision_volatility", DEPLOY):
        assert changes(stack.play(playbook, *ON)) == 0, stack.outputs[-1]


def run(stack: Deployed, step: str, session: str) -> str:
    return stack.play("run_volatility", "-e", f"volatility_run_step={step}", "-e", f"volatility_run_date={session}")


def test_macro_series_come_into_their_tables_with_the_key_of_the_secret(
    stack: Deployed, requests_to_fred: tuple[str, list[Request]]
) -> None:
    asked = requests_to_fred[1]
    stack.aws.client("secretsmanager").put_secret_value(SecretId=FRED_SECRET, SecretString=KEY)
    said = run(stack, "ingest", SESSION)
    assert "raw.macro: 3 new partitions" in said, said  # one of them a revision
    assert asked and all(f"api_key={KEY}" in one.path for one in asked)
    days = {key.split("date=")[1][:10] for key in keys(stack.aws, "raw.macro/date=")}
    assert days == {"2018-11-28", "2018-11-29"}
    aligned = {key.split("date=")[1][:10] for key in keys(stack.aws, "curated.macro_release_aligned/date=")}
    assert min(aligned) == "2018-11-30" and max(aligned) == SESSION  # known on the evening of the 29th

    before = keys(stack.aws)
    said = run(stack, "ingest", SESSION)
    assert "raw.macro: nothing new" in said and keys(stack.aws) == before, said
    groups = [one["logGroupName"] for one in stack.aws.client("logs").describe_log_groups()["logGroups"]]
    assert KEY not in "\n".join([*stack.outputs, *(line for group in groups for line in stack.log(group))])


def test_a_key_that_fred_does_not_know_costs_no_prices(stack: Deployed) -> None:
    delete(stack.aws)
    stack.aws.client("secretsmanager").put_secret_value(SecretId=FRED_SECRET, SecretString="0" * 32)
    said = run(stack, "ingest", SESSION)
    assert "answers 400" in said and "raw.market: " in said, said
    assert keys(stack.aws, "raw.market/") and not keys(stack.aws, "raw.macro/")


def test_the_api_answers_from_the_mirror(stack: Deployed) -> None:
    delete(stack.aws)
    folder = Path(stack.facts["folder"])
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        key = str(path.relative_to(folder))
        if key.startswith(("settings.json", "predictions_daily/", "artifacts/model/", "models/")):
            stack.aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
    session = stack.facts["session"]
    assert "was there already" in run(stack, "infer", session)
    first = items(stack.aws)
    assert set(first) == {session, "latest"} and first["latest"]["body"] == session

    delete(stack.aws, "serving/")  # what it answers with now is in the table alone
    assert stack.deploy(*ON) == 0, stack.outputs[-1]
    for asked in ({}, {"as_of_date": session}):
        answer = stack.ask("/predict", asked)
        assert answer.status == 200 and answer.body["as_of_date"] == session, answer
        assert answer.body["rv_5d_hat"] == json.loads(first[session]["body"])["rv_5d_hat"]
    assert stack.ask("/info").body["as_of_date"] == session

    run(stack, "infer", session)
    assert items(stack.aws) == first  # nothing is written twice


def test_switched_off_again_nobody_may_and_the_bucket_answers_until_teardown_removes_the_table(stack: Deployed) -> None:
    stack.play("provision_volatility", *OFF)
    stack.play(DEPLOY, *OFF)
    assert about(stack.aws, "dynamodb") == about(stack.aws, "secretsmanager") == {}
    stack.aws.client("dynamodb").delete_item(TableName=TABLE, Key={"as_of_date": {"S": "latest"}})
    run(stack, "infer", stack.facts["session"])
    assert "latest" not in items(stack.aws)
    assert stack.ask("/predict", {}).body["as_of_date"] == stack.facts["session"]
    stack.play("teardown_volatility")
    assert stack.aws.client("dynamodb").list_tables()["TableNames"] == [] and FRED_SECRET not in secrets(stack.aws)
