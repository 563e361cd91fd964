"""The audit log: what each command leaves in it, that it is never in the way, and how it is shown."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, datetime, timedelta, timezone
from typing import Any

import jsonschema
import pytest

from chronos_training.control.registry import audit
from chronos_training.core import layout
from chronos_training.core.errors import ConfigurationError, TrainingError
from chronos_training.core.run_records import schema

from .launch_account import BUCKET, ENV, PROJECT, REGION, RUN, TAGS, LaunchAccount
from .lock_account import LockAccount, load_module

PREFIX = layout.audit_prefix(ENV)


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LaunchAccount:
    """An account to launch in, with the settings that the other commands begin with."""
    account = LaunchAccount(aws, monkeypatch)
    settings = {"bucket": BUCKET, "vpc_id": "vpc-1", "subnet_ids": "subnet-1", "region": REGION}
    for name, value in {**settings, "security_group_id": "sg-1", "instance_profile": "profile"}.items():
        aws.client("ssm").put_parameter(Name=f"/chronos-training/{ENV}/{name}", Value=value, Type="String")
    return account


def module(account: Any, which: str, /, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    """Call a module of library/ as its action plugin does."""
    loaded = load_module(which)
    defaults = {key: spec.get("default") for key, spec in loaded.ARGUMENT_SPEC.items()}
    common = {key: value for key, value in (("env", ENV), ("region", REGION), ("project", PROJECT)) if key in defaults}
    result: dict[str, Any] = loaded.run(
        {**defaults, **common, **params}, check_mode=check_mode, emit=account.lines.append
    )
    return result


def launch(account: LaunchAccount, **changes: Any) -> dict[str, Any]:
    order = account.order(**changes)
    params = {
        "run_spec": order.run.body().decode(),
        "settings": dataclasses.asdict(order.settings),
        "project": order.project,
        "root_device": order.root_device,
    }
    return module(account, "training_run", state="launched", tags=TAGS, user_data=order.user_data, order=params)


def kill(account: LaunchAccount, **params: Any) -> dict[str, Any]:
    return module(account, "training_run", state="killed", force=True, **params)


def events(aws: Any) -> list[dict[str, Any]]:
    """Return what the log holds, oldest first, each event checked against its schema."""
    s3 = aws.client("s3")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX).get("Contents", [])]
    objects = [s3.get_object(Bucket=BUCKET, Key=key) for key in keys]
    objects.sort(key=lambda one: one["LastModified"])
    found = [json.loads(one["Body"].read()) for one in objects]
    for event in found:
        jsonschema.Draft202012Validator(schema("audit_event")).validate(event)
    return found


def test_launch_and_kill_are_told_with_who_and_where(account: LaunchAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    started = launch(account)
    (launched,) = events(account.aws)
    assert (launched["event"], launched["result"], launched["run_id"]) == ("launch", "succeeded", RUN)
    assert launched["user"] == "ada" and launched["host"] and launched["commit"]
    assert launched["details"]["instances"] == [started["instance_id"]]
    kill(account)
    (killed,) = [event for event in events(account.aws) if event["event"] == "kill"]
    assert (killed["result"], killed["run_id"], killed["details"]["status"]) == ("succeeded", RUN, "killed")
    assert killed["details"]["instances"] == [started["instance_id"]]


def test_what_was_refused_is_told_with_its_reason(account: LaunchAccount) -> None:
    launch(account)
    with pytest.raises(TrainingError, match="is active"):
        launch(account, run_id="20260102-030406")
    (refused,) = [event for event in events(account.aws) if event["result"] == "failed"]
    assert refused["event"] == "launch" and refused["run_id"] == "20260102-030406"
    assert f"Run {RUN} is active" in refused["message"] and refused["error_code"] == "lock_held"


def test_what_changes_nothing_leaves_nothing(account: LaunchAccount) -> None:
    assert kill(account)["changed"] is False
    launch(account)
    before = len(events(account.aws))
    kill(account, check_mode=True)
    module(account, "training_cleanup", state="fixed")
    module(account, "training_audit_info")
    assert len(events(account.aws)) == before == 1


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("InternalError", 500)], ids=["no permission", "S3 is ill"]
)
def test_a_log_that_cannot_be_written_stops_nothing(account: LaunchAccount, code: str, status: int) -> None:
    account.aws.fault("PutObject", code, "not now", status=status, times=None, Key=f"{PREFIX}*")
    launch(account)
    assert kill(account)["status"] == "killed"
    warnings = [line for line in account.lines if line.startswith("warning: ")]
    assert [warning.split(":")[1] for warning in warnings] == [
        " this launch is missing from the audit log, which does not affect its result",
        " this kill is missing from the audit log, which does not affect its result",
    ]
    account.aws.clear_faults()
    assert events(account.aws) == [] and account.lock() is None


def test_a_launch_that_takes_the_lock_of_a_dead_run_tells_both(account: LaunchAccount) -> None:
    instance = launch(account)["instance_id"]
    account.ec2.terminate_instances(InstanceIds=[instance])
    account.aws.wait_for_state(instance, "terminated")
    launch(account, run_id="20260102-030406")
    told = [(event["event"], event["run_id"]) for event in events(account.aws)]
    assert sorted(told) == [("launch", RUN), ("launch", "20260102-030406"), ("takeover", RUN)]
    (takeover,) = [event for event in events(account.aws) if event["event"] == "takeover"]
    assert f"its instance {instance} is terminated" in takeover["message"]


def test_taking_over_and_fixing_are_told(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    account = LockAccount(aws, monkeypatch)
    instance = account.instance(account.tags(RUN))
    held = account.hold(status="running")
    account.store.update(held, lambda record: record.evolve(instance_id=instance))
    account.terminate(instance)
    account.lock()
    stray = account.volume()
    account.fix()
    takeover, fix = events(aws)
    assert (takeover["event"], takeover["run_id"]) == ("takeover", RUN)
    assert (fix["event"], fix["details"]["ended"]) == ("fix", [f"volume {stray}"])


def test_publishing_is_told_once(account: LaunchAccount, tmp_path: Any) -> None:
    panel = tmp_path / "panel.csv"
    rows = [f"a,{date(2024, 1, 1) + timedelta(days=number)},{number % 7}" for number in range(200)]
    panel.write_text("\n".join(["item_id,timestamp,target", *rows]) + "\n")
    params = {"name": "sales", "source": str(panel), "caller": "arn:aws:iam::123456789012:user/ada"}
    published = module(account, "training_dataset", bucket=BUCKET, **params)
    assert published["changed"]
    assert not module(account, "training_dataset", bucket=BUCKET, **params)["changed"]
    (event,) = events(account.aws)
    assert (event["event"], event["details"]["object"]) == ("publish", "dataset sales")
    assert (event["details"]["digest"], event["arn"]) == (published["digest"], params["caller"])


def test_the_newest_events_are_shown(account: LaunchAccount) -> None:
    module(account, "training_audit_info")
    assert account.lines == [f"the audit log of {ENV} is empty"]
    for number, at in enumerate(
        ["2025-12-31T23:59:59", "2026-01-01T00:00:00", "2026-01-01T00:00:00", "2026-11-02T12:00:00"]
    ):
        moment = datetime.fromisoformat(at).replace(tzinfo=timezone.utc)
        body = {
            "schema_version": 1, "at": f"{at}Z", "event": "kill", "env": ENV, "result": "succeeded", "run_id": f"run{number}",
            "message": "", "user": "ada", "host": "desk", "arn": None, "aws_profile": None, "commit": "0123456789" * 4 + "-dirty",
            "details": {},
        }  # fmt: skip
        body |= {"result": "failed", "message": "it went wrong"} if number == 3 else {}
        key = layout.audit_key(ENV, moment, "kill", f"{number:08x}")
        account.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(body).encode())
    account.lines.clear()
    shown = module(account, "training_audit_info", limit=3)
    assert [event["run_id"] for event in shown["events"]] == ["run3", "run2", "run1"]
    assert [line.strip() for line in account.lines[2:4]] == [
        "2026-11-02 12:00:00  kill   failed     run3           ada@desk  0123456-dirty",
        "it went wrong",
    ]
    assert max(map(len, account.lines)) <= 100
    with pytest.raises(ConfigurationError, match="training_audit_limit is 0"):
        module(account, "training_audit_info", limit=0)


def test_an_event_is_never_written_over(account: LaunchAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "utc_now", lambda: datetime(2026, 1, 1, tzinfo=timezone.utc))
    monkeypatch.setattr(audit.secrets, "token_hex", lambda size: "0" * 8)
    log = audit.Log(BUCKET, ENV, REGION, account.lines.append)
    audit.record(log, audit.KILL, audit.Entry("20260101-000000"))
    audit.record(log, audit.KILL, audit.Entry("20260101-000001"))
    (event,) = events(account.aws)
    assert event["run_id"] == "20260101-000000"
    assert "this kill is missing from the audit log" in account.lines[-1]
