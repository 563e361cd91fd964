"""Messages arrive: in mailboxes, queues, functions and at endpoints, if those let SNS in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.services.accounts import ACCOUNT, ECHO, Queue, allow, attributes, events_of
from tests.services.awslambda import functions
from tests.services.sns.endpoint import endpoint

SNS = "sns.amazonaws.com"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def topic(aws: Any) -> str:
    return str(aws.client("sns").create_topic(Name="alerts", Attributes={"DisplayName": "Alerts"})["TopicArn"])


def mail(aws: Any, *arguments: str) -> str:
    """What a person sees."""
    command = [sys.executable, "-m", "local_aws", "mail", *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **aws.env}, text=True, capture_output=True, check=True)
    return done.stdout


def settle(aws: Any) -> None:
    aws.advance(0.001)


def visit(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        return str(answer.read().decode())


def link(text: str) -> str:
    found = re.search(r"http://\S+", text)
    assert found, text
    return found[0]


def test_a_mail_arrives_when_its_subscription_was_confirmed(aws: Any, topic: str) -> None:
    sns = aws.client("sns")
    answer = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.org")
    assert answer["SubscriptionArn"] == "pending confirmation"
    [listed] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    sns.publish(TopicArn=topic, Subject="Too early", Message="nobody reads this")
    settle(aws)
    [asked] = json.loads(mail(aws, "--json"))
    assert asked["subject"] == "AWS Notification - Subscription Confirmation" and topic in asked["text"]
    assert "<SubscriptionArn>arn:aws:sns:" in visit(link(asked["text"]))
    [listed] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"].startswith(topic)
    counts = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (counts["SubscriptionsConfirmed"], counts["SubscriptionsPending"]) == ("1", "0")
    sns.publish(TopicArn=topic, Subject="Watch out: zu spät", Message="The forecast is late.\nBy an hour.")
    settle(aws)
    assert "2 mails" in mail(aws) and "ada@example.org  Watch out: zu spät" in mail(aws)
    read = mail(aws, "2")
    assert read.startswith("From: Alerts <no-reply@sns.amazonaws.com>\nTo: ada@example.org\nDate: ")
    assert "\n\nThe forecast is late.\nBy an hour.\n\n--\nIf you wish to stop receiving" in read
    visit(link(read))
    assert sns.list_subscriptions()["Subscriptions"] == []
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsDeleted"] == "1"


def test_a_token_is_good_for_two_days_and_for_its_topic(aws: Any, topic: str) -> None:
    sns = aws.client("sns")
    sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint="ada@example.org")
    settle(aws)
    token = json.loads(json.loads(mail(aws, "--json"))[0]["text"])["Token"]
    other = sns.create_topic(Name="other")["TopicArn"]
    for arn, tried in ((other, token), (topic, "x" + token[1:])):
        with pytest.raises(sns.exceptions.InvalidParameterException, match="Token"):
            sns.confirm_subscription(TopicArn=arn, Token=tried)
    aws.advance(2 * 86400)
    with pytest.raises(sns.exceptions.InvalidParameterException, match="Token"):
        sns.confirm_subscription(TopicArn=topic, Token=token)
    assert sns.list_subscriptions()["Subscriptions"] == [], "nobody has confirmed it"
    sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint="ada@example.org")
    settle(aws)
    token = json.loads(json.loads(mail(aws, "--json"))[1]["text"])["Token"]
    arn = sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"]
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "false"
    sns.publish(TopicArn=topic, Message="hello")
    settle(aws)
    assert json.loads(json.loads(mail(aws, "--json"))[2]["text"])["Message"] == "hello"


def test_an_endpoint_confirms_is_told_and_is_tried_again(aws: Any, topic: str) -> None:
    sns = aws.client("sns")
    dead = Queue(aws, "dead", SNS, sources=topic)
    with endpoint() as there:
        answer = sns.subscribe(
            TopicArn=topic,
            Protocol="http",
            Endpoint=there.url,
            ReturnSubscriptionArn=True,
            Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead.arn})},
        )
        settle(aws)
        [(headers, body)] = there.seen
        asked = json.loads(body)
        assert headers["x-amz-sns-message-type"] == asked["Type"] == "SubscriptionConfirmation"
        assert headers["x-amz-sns-topic-arn"] == asked["TopicArn"] == topic
        visit(asked["SubscribeURL"])
        there.seen.clear()
        there.statuses = [500, 503]
        sns.publish(TopicArn=topic, Subject="s", Message="m")
        aws.advance(30)
        assert [said["Message"] for said in there.bodies()] == ["m", "m"]
        aws.advance(30)
        headers, body = there.seen[2]
        assert headers["x-amz-sns-subscription-arn"] == answer["SubscriptionArn"]
        said = json.loads(body)
        assert {"Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
                "SigningCertURL", "UnsubscribeURL"} == set(said)  # fmt: skip
        aws.advance(600)
        assert len(there.seen) == 3 and dead.messages() == []
        there.statuses = [500] * 4
        sns.publish(TopicArn=topic, Message="lost")
        aws.advance(600)
        assert len(there.seen) == 7
        there.statuses = [404]
        sns.publish(TopicArn=topic, Message="refused")
        aws.advance(600)
        assert len(there.seen) == 8
    letters = dead.messages()
    assert [json.loads(letter["Body"])["Message"] for letter in letters] == ["lost", "refused"]
    assert [attributes(letter)["ERROR_CODE"] for letter in letters] == ["500", "404"]


def test_a_queue_lets_the_topic_in_or_not(aws: Any, topic: str) -> None:
    sns, queue = aws.client("sns"), Queue(aws, "q", SNS, sources=topic)
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)["SubscriptionArn"]
    given = {
        "kind": {"DataType": "String", "StringValue": "late"},
        "count": {"DataType": "Number", "StringValue": "3"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    sns.publish(TopicArn=topic, Message="in an envelope", MessageAttributes=given)
    settle(aws)
    [said] = queue.documents()
    assert said["Message"] == "in an envelope" and said["MessageAttributes"]["count"] == {
        "Type": "Number",
        "Value": "3",
    }
    sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="true"
    )
    sns.publish(TopicArn=topic, Message="raw", MessageAttributes=given)
    settle(aws)
    [message] = queue.messages()
    assert message["Body"] == "raw" and message["MessageAttributes"]["raw"]["BinaryValue"] == b"\x00\x01"
    for services, sources in (((), ""), ((SNS,), topic + "-other"), (("events.amazonaws.com",), topic)):
        queue.let_send(*services, sources=sources)
        sns.publish(TopicArn=topic, Message="not let in")
        settle(aws)
        assert queue.messages() == []


@pytest.mark.services
def test_a_function_is_invoked_if_its_policy_lets_the_topic_in(aws: Any, topic: str) -> None:
    arn = functions.create(aws, ECHO)
    sns = aws.client("sns")
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="no policy yet")
    settle(aws)
    aws.client("lambda").add_permission(
        FunctionName="f", StatementId="sns", Action="lambda:InvokeFunction", Principal=SNS, SourceArn=topic
    )
    sns.publish(TopicArn=topic, Subject="s", Message="hello")
    settle(aws)
    [event] = events_of(functions.logged(aws))
    [record] = event["Records"]
    assert record["EventSource"] == "aws:sns" and record["EventSubscriptionArn"] == subscription
    assert record["Sns"]["Message"] == "hello" and record["Sns"]["Type"] == "Notification"


def test_filters_choose_by_attribute_and_by_body(aws: Any, topic: str) -> None:
    sns = aws.client("sns")
    by_kind, by_body = Queue(aws, "kind", SNS), Queue(aws, "body", SNS)
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=by_kind.arn,
        Attributes={**raw, "FilterPolicy": json.dumps({"kind": ["late", {"prefix": "miss"}]})},
    )
    policy = json.dumps({"forecast": {"age": [{"numeric": [">", 5]}]}})
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=by_body.arn,
        Attributes={**raw, "FilterPolicy": policy, "FilterPolicyScope": "MessageBody"},
    )
    for kind, age in (("late", 3), ("missing", 9), ("fine", 6), ("fine", 1)):
        attribute = {"kind": {"DataType": "String", "StringValue": kind}}
        body = json.dumps({"forecast": {"age": age}})
        sns.publish(TopicArn=topic, Message=body, MessageAttributes=attribute)
    settle(aws)
    assert sorted(document["forecast"]["age"] for document in by_kind.documents()) == [3, 9]
    assert sorted(document["forecast"]["age"] for document in by_body.documents()) == [6, 9]


def test_each_protocol_has_its_own_text(aws: Any, topic: str) -> None:
    sns, queue = aws.client("sns"), Queue(aws, "q", SNS)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true"})
    sns.publish(TopicArn=topic, MessageStructure="json", Message=json.dumps({"default": "all", "sqs": "queues"}))
    settle(aws)
    assert queue.bodies() == ["queues"]
    for text in ("no json", '{"sqs": "queues"}'):
        with pytest.raises(sns.exceptions.InvalidParameterException, match="Message Structure"):
            sns.publish(TopicArn=topic, MessageStructure="json", Message=text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Message": ""}, "Empty message"),
        ({"Message": "ü" * 131_073}, "Message too long"),
        ({"Subject": "a\nb"}, "Subject"),
        ({"Subject": "a" * 101}, "Subject"),
    ],
)
def test_what_cannot_be_published(aws: Any, topic: str, changes: dict[str, str], said: str) -> None:
    sns = aws.client("sns")
    with pytest.raises(sns.exceptions.InvalidParameterException, match=said):
        sns.publish(**{"TopicArn": topic, "Message": "m", **changes})


@pytest.mark.parametrize(
    ("protocol", "address", "more", "said"),
    [
        ("email", "nobody", {}, "Email address"),
        ("http", "https://example.org", {}, "must match the specified protocol"),
        ("sqs", "https://sqs", {}, "SQS endpoint ARN"),
        ("lambda", "f", {}, "Lambda endpoint ARN"),
        ("email", "a@example.org", {"RawMessageDelivery": "true"}, "does not support raw message delivery"),
        ("email", "a@example.org", {"RedrivePolicy": "{}"}, "RedrivePolicy"),
    ],
)
def test_what_cannot_be_subscribed(
    aws: Any, topic: str, protocol: str, address: str, more: dict[str, str], said: str
) -> None:
    sns = aws.client("sns")
    with pytest.raises(sns.exceptions.InvalidParameterException, match=said):
        sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=address, Attributes=more)


def test_a_statement_that_is_taken_away_breaks_the_call(aws: Any, topic: str) -> None:
    subscribing = allow("sns:Subscribe", topic, Condition={"StringLike": {"sns:Endpoint": "*@example.org"}})
    publishing = allow("sns:Publish", topic)
    document = {"Version": "2012-10-17", "Statement": [subscribing, publishing]}
    sns = aws.client("sns", credentials=aws.new_user("sender", may=document))
    sns.publish(TopicArn=topic, Message="m")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.org")
    with pytest.raises(sns.exceptions.AuthorizationErrorException, match="sns:Subscribe"):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    with pytest.raises(sns.exceptions.AuthorizationErrorException, match="sns:CreateTopic"):
        sns.create_topic(Name="mine")
    arn = f"arn:aws:iam::{ACCOUNT}:policy/sender-may"
    aws.change_policy(arn, {**document, "Statement": [subscribing]})
    with pytest.raises(sns.exceptions.AuthorizationErrorException, match="sns:Publish"):
        sns.publish(TopicArn=topic, Message="m")
    # The topic's own policy may let it in, as well as keep it out.
    statement = allow("sns:Publish", topic, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/sender"})
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    sns.publish(TopicArn=topic, Message="m")


def test_the_command_line_of_aws(aws: Any, topic: str) -> None:
    queue = Queue(aws, "q", SNS)

    def run(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("aws")), "sns", *arguments, "--output", "text"]
        done = subprocess.run(command, env={**os.environ, **aws.env}, text=True, capture_output=True, check=True)
        return done.stdout

    assert topic in run("subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", queue.arn)
    run("publish", "--topic-arn", topic, "--subject", "from the shell", "--message", "hello")
    settle(aws)
    assert queue.documents()[0]["Subject"] == "from the shell"


def test_an_alarm_tells_a_person_by_the_topics_default_policy(aws: Any, topic: str) -> None:
    sns, cloudwatch = aws.client("sns"), aws.client("cloudwatch")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.org")
    settle(aws)
    visit(link(json.loads(mail(aws, "--json"))[0]["text"]))
    metric = {"Namespace": "Forecasts", "MetricName": "Age"}
    cloudwatch.put_metric_alarm(
        **metric, AlarmName="late", Statistic="Maximum", Period=60, EvaluationPeriods=1, Threshold=24,
        ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic], OKActions=[topic],
        TreatMissingData="ignore",
    )  # fmt: skip
    for value in (30, 2):
        cloudwatch.put_metric_data(Namespace="Forecasts", MetricData=[{"MetricName": "Age", "Value": value}])
        aws.advance(300)
    subjects = [one["subject"] for one in json.loads(mail(aws, "--json"))[1:]]
    assert subjects == ['ALARM: "late" in US East (N. Virginia)', 'OK: "late" in US East (N. Virginia)']
