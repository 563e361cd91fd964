"""Each alarm of the volatility stack is fired once, by what it watches, and its mail is read; Slack gets the same words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.test_provision import changes
from tests.services.apigateway import apis
from tests.services.sns.endpoint import Endpoint, endpoint
from tests.services.volatility import stack
from tests.services.volatility.stack import PREFIX, READER, function, mails, measured, state

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]
FAILS = "def handler(event, context):\n    raise RuntimeError('broken')\n"
PLAY = "ansible-playbook -i inventories/local playbooks"
SECRET = "T0000/B0000/nobody-may-read-this"


@pytest.fixture(scope="module")
def account(embedded_aws: Any) -> Iterator[Any]:
    """One account for the whole file, with the alarms; the reader has confirmed."""
    embedded_aws.reset()
    stack.deploy(embedded_aws)
    stack.confirm(embedded_aws)
    yield embedded_aws
    embedded_aws.reset()


def fired(aws: Any, alarm: str, cause: Callable[[], Any], *, seconds: float = 180) -> str:
    """Let it happen; return the text of the one mail that the alarm wrote."""
    before = len(mails(aws))
    cause()
    aws.advance(seconds)
    new = [one for one in mails(aws)[before:] if f'"{PREFIX}-{alarm}"' in one["subject"]]
    assert [one["subject"].split(":")[0] for one in new] == ["ALARM"], (alarm, state(aws, alarm), new)
    assert new[0]["to"] == READER
    text = str(new[0]["text"])
    # Since when, and why: CloudWatch's own words.
    assert re.search(r"Timestamp: +\w+ \d\d \w+, \d{4} \d\d:\d\d:\d\d UTC", text), text
    assert "Reason for State Change:" in text and "-> ALARM" in text, text
    return text


def test_the_roles_preview_and_a_second_pass_are_truthful(account: Any) -> None:
    assert changes(stack.deploy(account, "--check", "--diff")) == 0
    assert changes(stack.deploy(account)) == 0
    # By hand somebody makes two alarms deaf, takes a tag away, and widens who may publish.
    cloudwatch, sns = account.client("cloudwatch"), account.client("sns")
    for name, change in (("api-errors", {"Threshold": 50.0}), ("execution-failed", {"AlarmActions": []})):
        [alarm] = cloudwatch.describe_alarms(AlarmNames=[f"{PREFIX}-{name}"])["MetricAlarms"]
        kept = {key: value for key, value in alarm.items() if key in _PUT} | change
        cloudwatch.put_metric_alarm(**kept)
    arn = alarm["AlarmArn"].replace("execution-failed", "api-slow")
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["Stack"])
    [topic] = [one["TopicArn"] for one in sns.list_topics()["Topics"]]
    sns.add_permission(TopicArn=topic, Label="all", AWSAccountId=["210987654321"], ActionName=["Publish"])
    account.client("budgets").delete_budget(AccountId=stack_account(topic), BudgetName=PREFIX)
    assert changes(stack.deploy(account, "--check")) == 3
    assert changes(stack.deploy(account)) == 3
    assert changes(stack.deploy(account, "--check")) == 0
    tags = {one["Key"]: one["Value"] for one in cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]}
    assert tags["Stack"] == "volatility" and tags["CostCenter"] == "research"


_PUT = (
    "AlarmName", "AlarmDescription", "ComparisonOperator", "EvaluationPeriods", "DatapointsToAlarm", "TreatMissingData",
    "AlarmActions", "OKActions", "Metrics", "Threshold",
)  # fmt: skip


def stack_account(arn: str) -> str:
    return arn.split(":")[4]


def test_the_dashboard_is_shown_as_it_should_be(account: Any) -> None:
    cloudwatch = account.client("cloudwatch")
    body = cloudwatch.get_dashboard(DashboardName=PREFIX)["DashboardBody"]
    assert cloudwatch.put_dashboard(DashboardName=PREFIX, DashboardBody=body)["DashboardValidationMessages"] == []
    alarms = {one["AlarmArn"] for one in cloudwatch.describe_alarms()["MetricAlarms"]}
    [shown, *graphs] = json.loads(body)["widgets"]
    assert set(shown["properties"]["alarms"]) == alarms and len(alarms) == 15 and len(graphs) == 6


def test_every_description_says_what_to_type(account: Any) -> None:
    for one in account.client("cloudwatch").describe_alarms()["MetricAlarms"]:
        said = one["AlarmDescription"]
        assert re.search(r"^(Why|Next)", said, re.MULTILINE), said
        assert PLAY in said or "put-secret-value" in said, said
        assert "{{" not in said and len(said) <= 1024


def test_no_forecast(account: Any) -> None:
    measured(account, PredictionPresent=1)
    account.advance(120)
    text = fired(account, "prediction-missing", lambda: measured(account, PredictionPresent=0))
    assert "The forecast of the last session is missing, and the market opens soon." in text
    assert f"Next: {PLAY}/run_volatility.yml\n" in text
    measured(account, PredictionPresent=1)
    account.advance(120)
    assert mails(account)[-1]["subject"].startswith(f'OK: "{PREFIX}-prediction-missing"')


def test_nobody_looks(account: Any) -> None:
    measured(account, PredictionPresent=1)
    account.advance(3600)
    assert state(account, "watchdog-silent") == "OK"
    account.advance(22 * 3600)
    measured(account, PredictionPresent=1)  # the next day's
    account.advance(60)
    assert state(account, "watchdog-silent") == "OK"
    text = fired(account, "watchdog-silent", lambda: None, seconds=28 * 3600)
    assert "Nobody has looked for the forecast for a day" in text
    assert f"Next: {PLAY}/run_volatility.yml -e volatility_run_step=check" in text


def test_a_source_that_stopped(account: Any) -> None:
    measured(account, SourceLagSessions=1)
    account.advance(120)
    assert state(account, "source-stale") == "OK"
    text = fired(account, "source-stale", lambda: measured(account, SourceLagSessions=2))
    assert "behind by 2 sessions or more" in text and "a source has stopped or changed" in text


def test_a_gate_that_refuses_twice(account: Any) -> None:
    measured(account, GateRefusedInARow=1)
    account.advance(120)
    text = fired(account, "gate-refused-twice", lambda: measured(account, GateRefusedInARow=2))
    assert "The gate refused the model of two weeks in a row." in text and "goes on serving" in text
    measured(account, GateRefusedInARow=3)
    account.advance(7 * 86400)
    assert state(account, "gate-refused-twice") == "ALARM"  # until a model passes


def test_a_canary_that_failed(account: Any) -> None:
    text = fired(account, "canary-failed", lambda: measured(account, CanaryFailed=1))
    assert "It was rolled back at once" in text and f"{PLAY}/check_volatility.yml" in text
    account.advance(7 * 86400)
    fired(account, "canary-failed", lambda: measured(account, CanaryFailed=1))  # each one is told


def test_an_execution_that_failed(account: Any) -> None:
    states = account.client("stepfunctions")
    role = account.client("iam").get_role(RoleName=f"{PREFIX}-chain")["Role"]["Arn"]
    definition = json.dumps({"StartAt": "S", "States": {"S": {"Type": "Fail", "Error": "SourceDown"}}})
    chain = states.create_state_machine(name=f"{PREFIX}-daily", definition=definition, roleArn=role)["stateMachineArn"]
    text = fired(account, "execution-failed", lambda: states.start_execution(stateMachineArn=chain))
    assert f"An execution of the daily chain {PREFIX}-daily failed or timed out." in text
    assert f"--state-machine-arn {chain} --status-filter FAILED" in text and f"{PLAY}/run_volatility.yml" in text


@pytest.mark.parametrize("step", ["features", "gate", "infer", "check"])
def test_a_step_that_failed(account: Any, step: str) -> None:
    function(account, step, FAILS)
    client = account.client("lambda")
    text = fired(account, f"step-failed-{step}", lambda: client.invoke(FunctionName=f"{PREFIX}-{step}"))
    assert f"aws logs tail --region us-east-1 /aws/lambda/{PREFIX}-{step} --since" in text
    assert f"Next: {PLAY}/run_volatility.yml -e volatility_run_step={step}" in text


def test_ingest_may_be_late_for_two_hours(account: Any) -> None:
    function(account, "ingest", FAILS)

    def hour() -> None:
        account.client("lambda").invoke(FunctionName=f"{PREFIX}-ingest")
        account.advance(3600)

    hour()
    hour()
    assert state(account, "step-failed-ingest") == "OK"
    text = fired(account, "step-failed-ingest", hour)
    assert "The step ingest has failed for three hours" in text and "-e volatility_run_step=ingest" in text


def test_a_training_that_failed(account: Any) -> None:
    """A task that ends well, or is taken by Spot, is no news."""
    before = len(mails(account))
    events = account.client("events")
    [rule] = events.list_rules(NamePrefix=PREFIX)["Rules"]
    detail = {
        "clusterArn": f"arn:aws:ecs:us-east-1:123456789012:cluster/{PREFIX}",
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "containers": [{"exitCode": 0}],
    }
    event = {
        "id": "1", "account": "123456789012", "source": "aws.ecs", "time": "2026-01-02T00:00:00Z", "region": "us-east-1",
        "resources": [], "detail-type": "ECS Task State Change", "detail": detail,
    }  # fmt: skip

    def matches(**changed: Any) -> bool:
        sent = json.dumps(event | {"detail": detail | changed})
        return bool(events.test_event_pattern(EventPattern=rule["EventPattern"], Event=sent)["Result"])

    assert matches(containers=[{"exitCode": 1}])
    assert matches(stopCode="TaskFailedToStart", containers=[{"reason": "no image"}])
    assert not matches() and not matches(stopCode="SpotInterruption", containers=[{"exitCode": 143}])
    assert not matches(clusterArn=f"{detail['clusterArn']}-other", containers=[{"exitCode": 1}])
    assert len(mails(account)) == before


def test_the_api(account: Any) -> None:
    """Slow, wrong, and out of concurrency, in turn."""
    code = """
        import os, time
        def handler(event, context):
            time.sleep(float(os.environ.get("SLEEP", 0)))
            return {"statusCode": 200, "body": "{}"}
    """
    function(account, "api", code, Timeout=30, Environment={"Variables": {"SLEEP": "2.1"}})
    client, gateway = account.client("lambda"), account.client("apigateway")
    client.add_permission(
        FunctionName=f"{PREFIX}-api",
        StatementId="g",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    arn = client.get_function(FunctionName=f"{PREFIX}-api")["Configuration"]["FunctionArn"]
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}
    said = {
        "openapi": "3.0.1",
        "info": {"title": PREFIX, "version": "1"},
        "paths": {"/predict": {"get": {"responses": {}, "x-amazon-apigateway-integration": integration}}},
    }
    made = gateway.import_rest_api(body=json.dumps(said))["id"]
    gateway.create_deployment(restApiId=made, stageName="v1")
    api = apis.Api(account, made, "v1")

    def slowly() -> None:
        for _ in range(2):
            assert api.call("GET", "/predict").status == 200
            account.advance(300)

    text = fired(account, "api-slow", slowly)
    assert "one answer in twenty takes longer than 2 s" in text
    client.update_function_configuration(FunctionName=f"{PREFIX}-api", Environment={"Variables": {"SLEEP": "0"}})
    account.advance(3600)

    client.update_function_code(FunctionName=f"{PREFIX}-api", ZipFile=stack.archive(FAILS))
    account.advance(1)
    text = fired(account, "api-errors", lambda: api.call("GET", "/predict"), seconds=360)
    assert "More than 1 % of the API's answers are errors of the server (5xx)." in text
    assert f"{PLAY}/rollback_model.yml" in text

    client.put_function_concurrency(FunctionName=f"{PREFIX}-api", ReservedConcurrentExecutions=0)
    text = fired(account, "api-throttled", lambda: api.call("GET", "/predict"), seconds=360)
    assert "Lambda refused requests to the API for want of concurrency." in text


@pytest.fixture
def slack(account: Any) -> Iterator[Endpoint]:
    """A webhook, stored as its secret."""
    with endpoint() as server:
        url = server.url.replace("/messages", f"/services/{SECRET}")
        account.client("secretsmanager").put_secret_value(SecretId="volatility/local/slack-webhook", SecretString=url)
        yield server


def log_of_notifier(aws: Any) -> str:
    aws.advance(0.001)
    listed = aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{PREFIX}-notifier")["events"]
    return "".join(one["message"] for one in listed)


def test_without_a_webhook_nothing_is_sent(account: Any) -> None:
    assert "No webhook is stored: nothing is sent to Slack." in log_of_notifier(account)


def test_slack_gets_the_same_words(account: Any, slack: Endpoint) -> None:
    measured(account, SourceLagSessions=0)
    account.advance(120)
    slack.seen.clear()
    slack.statuses[:] = [500, 429]  # it is asked again
    fired(account, "source-stale", lambda: measured(account, SourceLagSessions=3))
    assert len(slack.seen) == 3
    said = slack.bodies()[-1]["text"]
    assert said.startswith(f":red_circle: *ALARM: {PREFIX}-source-stale* since 20")
    assert "a source has stopped or changed" in said and "_Threshold Crossed:" in said
    log = log_of_notifier(account)
    assert "Slack, attempt 1: answered 500" in log and "Slack, attempt 2: answered 429" in log
    # What is not an alarm is told as it is, and cannot mention anybody.
    [topic] = [one["TopicArn"] for one in account.client("sns").list_topics()["Topics"]]
    account.client("sns").publish(TopicArn=topic, Subject="Budget", Message="<!here> 80 % & more")
    account.advance(0.001)
    assert slack.bodies()[-1]["text"] == "*Budget*\n&lt;!here&gt; 80 % &amp; more"


def test_a_webhook_that_was_revoked_is_told_by_mail_and_never_shown(account: Any, slack: Endpoint) -> None:
    slack.statuses[:] = [404] * 50
    text = fired(
        account,
        "notifier-failed",
        lambda: (measured(account, CanaryFailed=1), account.advance(120)),
        seconds=900,
    )
    assert "A message did not reach Slack. Mails arrive as before." in text
    assert "put-secret-value --region us-east-1 --secret-id volatility/local/slack-webhook" in text
    account.client("secretsmanager").put_secret_value(
        SecretId="volatility/local/slack-webhook", SecretString=f"no-url/{SECRET}"
    )
    measured(account, CanaryFailed=1)
    account.advance(900)
    log = log_of_notifier(account)
    assert "answered 404" in log and "the secret's value is no webhook (ValueError)" in log
    assert SECRET not in log and "/services/" not in log
    assert SECRET not in json.dumps(mails(account))
