"""Schedules fire as AWS documents it, by AWS's clock."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.services.accounts import Queue, allow, attributes, may, role

NEW_YORK = ZoneInfo("America/New_York")
SCHEDULER = "scheduler.amazonaws.com"


@pytest.fixture
def queue(aws: Any) -> Queue:
    return Queue(aws, "fired")


@pytest.fixture
def sender(aws: Any, queue: Queue) -> str:
    return role(aws, "sender", SCHEDULER, allow("sqs:SendMessage", queue.arn))


def create(aws: Any, expression: str, target: dict[str, Any], name: str = "it", **more: Any) -> None:
    defaults = {"Name": name, "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}}
    aws.client("scheduler").create_schedule(**{**defaults, "Target": target, **more})


def stamped(queue: Queue, sender: str, **more: Any) -> dict[str, Any]:
    """A target that sends when it was due."""
    return {"Arn": queue.arn, "RoleArn": sender, "Input": "<aws.scheduler.scheduled-time>", **more}


def moments(queue: Queue) -> list[datetime]:
    return sorted(datetime.fromisoformat(body.replace("Z", "+00:00")) for body in queue.bodies())


def advance_to(aws: Any, year: int, month: int, day: int, hour: int = 0) -> None:
    aws.advance(to=datetime(year, month, day, hour, tzinfo=NEW_YORK))


def test_new_york_keeps_its_hour_over_both_clock_changes_of_years(aws: Any, queue: Queue, sender: str) -> None:
    first = aws.now().year + 1
    for year in range(first, first + 4):
        march = max(d for d in range(8, 15) if datetime(year, 3, d).weekday() == 6)
        november = max(d for d in range(1, 8) if datetime(year, 11, d).weekday() == 6)
        for month, day in ((3, march), (11, november)):
            advance_to(aws, year, month, day - 1)
            end = datetime(year, month, day + 1, 12, tzinfo=NEW_YORK)
            for name, cron in (("daily", "5 18 * * ? *"), ("night", "30 1 * * ? *"), ("gap", "30 2 * * ? *")):
                zone = {"ScheduleExpressionTimezone": "America/New_York", "EndDate": end}
                after = {"ActionAfterCompletion": "DELETE"}
                create(aws, f"cron({cron})", stamped(queue, sender), f"{name}-{year}-{month}", **zone, **after)
            advance_to(aws, year, month, day + 2)
            local = [moment.astimezone(NEW_YORK) for moment in moments(queue)]
            said = [f"{at.day - day:+d} {at:%H:%M %Z}" for at in local]
            if month == 3:  # half past two does not exist on the Sunday
                assert said == [
                    "-1 01:30 EST", "-1 02:30 EST", "-1 18:05 EST", "+0 01:30 EST", "+0 18:05 EDT", "+1 01:30 EDT",
                    "+1 02:30 EDT",
                ]  # fmt: skip
            else:  # half past one comes twice on the Sunday, and fires the first time
                assert said == [
                    "-1 01:30 EDT", "-1 02:30 EDT", "-1 18:05 EDT", "+0 01:30 EDT", "+0 02:30 EST", "+0 18:05 EST",
                    "+1 01:30 EST", "+1 02:30 EST",
                ]  # fmt: skip
            assert aws.client("scheduler").list_schedules()["Schedules"] == []


@pytest.mark.services  # ten seconds where nobody else is at work
def test_thirty_days_are_played(aws: Any, queue: Queue, sender: str) -> None:
    target = stamped(queue, sender)
    create(aws, "cron(0/15 * * * ? *)", target, "quarters")
    create(aws, "rate(1 hour)", target, "hours")
    create(aws, "cron(5 18 ? * MON-FRI *)", target, "evenings", ScheduleExpressionTimezone="America/New_York")
    create(aws, "cron(0 7 ? * SUN *)", target, "weekly")
    aws.advance(30 * 86400)
    assert queue.waiting() >= 30 * (96 + 24) + 20 + 4


def test_a_rate_fires_at_once_or_at_its_start_date_and_until_its_end_date(aws: Any, queue: Queue, sender: str) -> None:
    now = aws.now()
    create(aws, "rate(20 minutes)", stamped(queue, sender), "now")
    aws.advance(3600)
    assert [round((at - now).total_seconds() / 60) for at in moments(queue)] == [0, 20, 40, 60]
    aws.client("scheduler").delete_schedule(Name="now")
    start, now = aws.now() + timedelta(minutes=7), aws.now()
    bounds = {"StartDate": start, "EndDate": start + timedelta(minutes=90)}
    create(aws, "rate(1 hours)", stamped(queue, sender), "later", **bounds)
    aws.advance(5 * 3600)
    assert [round((at - now).total_seconds() / 60) for at in moments(queue)] == [7, 67]
    assert aws.client("scheduler").get_schedule(Name="later")["State"] == "ENABLED"


def test_a_flexible_window_is_kept(aws: Any, queue: Queue, sender: str) -> None:
    due = (aws.now() + timedelta(hours=1)).replace(microsecond=0)
    for number in range(20):
        window = {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30}}
        create(aws, f"at({due:%Y-%m-%dT%H:%M:%S})", stamped(queue, sender), f"s{number}", **window)
    aws.advance(to=due - timedelta(seconds=1))
    assert queue.messages() == []
    aws.advance(to=due + timedelta(minutes=30))
    sent = [int(message["Attributes"]["SentTimestamp"]) / 1000 - due.timestamp() for message in queue.messages()]
    assert len(sent) == 20 and min(sent) >= 0 and max(sent) < 1801 and len(set(map(round, sent))) > 10


def test_context_attributes_are_filled_in(aws: Any, queue: Queue, sender: str) -> None:
    names = ["schedule-arn", "scheduled-time", "execution-id", "attempt-number"]
    text = json.dumps({name: f"<aws.scheduler.{name}>" for name in names})
    due = (aws.now() + timedelta(minutes=5)).replace(microsecond=0)
    create(aws, f"at({due:%Y-%m-%dT%H:%M:%S})", {**stamped(queue, sender), "Input": text})
    aws.advance(600)
    [said] = queue.documents()
    assert said["schedule-arn"] == "arn:aws:scheduler:us-east-1:123456789012:schedule/default/it"
    assert said["scheduled-time"] == f"{due:%Y-%m-%dT%H:%M:%SZ}" and said["attempt-number"] == "1"
    assert len(said["execution-id"]) == 36


def test_a_role_that_may_not_is_tried_again_until_the_policy_is_used_up(aws: Any, queue: Queue, sender: str) -> None:
    dead = Queue(aws, "dead")
    may(aws, "sender", allow("sqs:SendMessage", dead.arn))
    policy = {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600}
    target = stamped(queue, sender, RetryPolicy=policy, DeadLetterConfig={"Arn": dead.arn})
    create(aws, "rate(1 day)", target)
    aws.advance(3600)
    [letter] = dead.messages()
    said = attributes(letter)
    assert said["ERROR_CODE"] == "AccessDeniedException" and "sqs:SendMessage" in said["ERROR_MESSAGE"], said
    assert said["RETRY_ATTEMPTS"] == "3" and said["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert said["TARGET_ARN"] == queue.arn and letter["Body"] == said["SCHEDULED_TIME"]
    # The permission comes back while it is being tried: the second attempt of the next day succeeds.
    aws.advance(to=aws.now() + timedelta(hours=23, seconds=1))
    may(aws, "sender", allow("sqs:SendMessage", [queue.arn, dead.arn]))
    aws.advance(3600)
    assert len(queue.messages()) == 1 and dead.messages() == []
    may(aws, "sender")
    aws.advance(86400)
    assert queue.messages() == [], "the statement was taken away"


def test_a_changed_schedule_has_one_timer_and_a_deleted_one_has_none(aws: Any, queue: Queue, sender: str) -> None:
    scheduler = aws.client("scheduler")
    create(aws, "rate(1 hour)", stamped(queue, sender), StartDate=aws.now() + timedelta(minutes=30))
    common = {"Name": "it", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": stamped(queue, sender)}
    start = aws.now() + timedelta(minutes=10)
    scheduler.update_schedule(**common, ScheduleExpression="rate(1 hour)", StartDate=start)
    aws.advance(3000)
    assert [round((at - start).total_seconds()) for at in moments(queue)] in ([0], [-1])
    scheduler.update_schedule(**common, ScheduleExpression="rate(1 minute)", State="DISABLED")
    aws.advance(3600)
    assert queue.messages() == []
    scheduler.update_schedule(**common, ScheduleExpression="rate(1 minute)")
    aws.advance(90)
    assert len(queue.messages()) == 2
    scheduler.delete_schedule(Name="it")
    aws.advance(3600)
    assert queue.messages() == []


def test_universal_targets_call_any_operation_in_the_role(aws: Any) -> None:
    creator = role(aws, "creator", SCHEDULER, allow("sqs:CreateQueue", "arn:aws:sqs:us-east-1:123456789012:made"))
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:createQueue", "RoleArn": creator}
    create(aws, "rate(1 day)", {**target, "Input": '{"QueueName": "made"}'}, "one")
    create(aws, "rate(1 day)", {**target, "Input": '{"queueName": "other"}'}, "two")
    aws.advance(60)
    assert [url.rsplit("/", 1)[1] for url in aws.client("sqs").list_queues()["QueueUrls"]] == ["made"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ScheduleExpression": "cron(0 12 * * * *)"}, r"Invalid Schedule Expression cron\(0 12 \* \* \* \*\)\."),
        ({"ScheduleExpression": "rate(0 minutes)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpression": "rate(5 weeks)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpression": "at(2030-02-30T00:00:00)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpression": "at(2030-02-01T00:00:00Z)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "America/New_Yorck"}, "Timezone America/New_Yorck"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes"),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:nothing:doIt"}, "nothing is not a supported service for a target"),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:sqs:getQueueUrl"}, "getQueueUrl is not a supported api"),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "Input": "{}"}, "Missing required parameter"),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "Input": "{"}, "Invalid RequestJson"),
        ({"Arn": "arn:aws:s3:::bucket"}, "s3 is not a supported service for a target"),
        ({"Arn": "arn:aws:sqs"}, "Provided Arn is not in correct format"),
        ({"Arn": "arn:aws:ecs:us-east-1:123456789012:cluster/c"}, "EcsParameters"),
    ],
)
def test_what_cannot_be_is_refused(aws: Any, changes: dict[str, Any], said: str) -> None:
    arn = role(aws, "any", SCHEDULER, allow("sqs:*"))
    target = {"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "RoleArn": arn, "Input": "x"}
    target |= {name: changes.pop(name) for name in ("Arn", "Input") if name in changes}
    request = {"ScheduleExpression": "rate(1 hour)", "Target": target, **changes}
    scheduler = aws.client("scheduler")
    with pytest.raises(scheduler.exceptions.ValidationException, match=said):
        create(aws, request.pop("ScheduleExpression"), request.pop("Target"), **request)
    assert scheduler.list_schedules()["Schedules"] == []


def test_a_role_that_does_not_trust_the_scheduler_is_refused_also_by_an_update(
    aws: Any, queue: Queue, sender: str
) -> None:
    scheduler = aws.client("scheduler")
    create(aws, "rate(1 day)", stamped(queue, sender))
    other = role(aws, "other", "lambda.amazonaws.com", allow("sqs:SendMessage", queue.arn))
    for call in (scheduler.update_schedule, scheduler.create_schedule):
        with pytest.raises(
            scheduler.exceptions.ValidationException, match="must allow AWS EventBridge Scheduler to assume"
        ):
            call(
                Name="it" if call == scheduler.update_schedule else "new",
                ScheduleExpression="rate(1 day)",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target=stamped(queue, other),
            )


def test_a_trust_that_is_taken_away_ends_the_firing(aws: Any, queue: Queue, sender: str) -> None:
    create(aws, "rate(1 hour)", stamped(queue, sender))
    aws.advance(60)
    assert len(queue.messages()) == 1
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("iam").update_assume_role_policy(RoleName="sender", PolicyDocument=document)
    aws.advance(3600)
    assert queue.messages() == []


def test_whoever_makes_a_schedule_may_pass_its_role(aws: Any, queue: Queue, sender: str) -> None:
    arn = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/it"
    making, passing = allow("scheduler:CreateSchedule", arn), allow("iam:PassRole", sender)
    passing["Condition"] = {"StringEquals": {"iam:PassedToService": SCHEDULER}}
    document = {"Version": "2012-10-17", "Statement": [making, passing]}
    user = aws.new_user("planner", plan=document)
    request = {
        "Name": "it",
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": stamped(queue, sender),
    }
    mine = aws.client("scheduler", credentials=user)
    mine.create_schedule(**request)
    aws.client("scheduler").delete_schedule(Name="it")
    for statement in (making, passing):
        left = [one for one in (making, passing) if one is not statement]
        aws.change_policy("arn:aws:iam::123456789012:policy/planner-plan", {**document, "Statement": left})
        with pytest.raises(mine.exceptions.ClientError, match="not authorized"):
            mine.create_schedule(**request)


def test_local_midnight_is_utc_of_the_zone(aws: Any, queue: Queue, sender: str) -> None:
    day = (aws.now() + timedelta(days=2)).date()
    zone = {"ScheduleExpressionTimezone": "Asia/Kolkata"}
    create(aws, f"at({day}T00:00:00)", stamped(queue, sender), **zone)
    aws.advance(4 * 86400)
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert moments(queue) == [midnight.astimezone(timezone.utc)]


def test_templated_targets(aws: Any, queue: Queue) -> None:
    topic = aws.client("sns").create_topic(Name="told")["TopicArn"]
    queue.let_send("sns.amazonaws.com")
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    actor = role(aws, "actor", SCHEDULER, allow("sns:Publish", topic))
    due = f"at({aws.now() + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S})"
    create(aws, due, {"Arn": topic, "RoleArn": actor, "Input": "hello"}, "topic")
    aws.advance(120)
    assert [document["Message"] for document in queue.documents()] == ["hello"]
