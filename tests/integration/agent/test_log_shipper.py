"""Logs in S3 as a person reads them there: in parts, whole lines, masked, and never again what was sent."""

from __future__ import annotations

import pytest

from chronos_training.agent import log_shipper
from chronos_training.agent.log_shipper import LogShipper
from local_aws.testing import wait_for

BUCKET, PREFIX = "logs-of-a-run", "local/logs/20260101-000000/"


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(log_shipper, "PART_BYTES", 100)


def stored(s3) -> dict[str, bytes]:
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX).get("Contents", [])
    return {e["Key"][len(PREFIX) :]: s3.get_object(Bucket=BUCKET, Key=e["Key"])["Body"].read() for e in found}


def puts(aws) -> int:
    return sum(r["count"] for r in aws.requests() if r["operation"] == "s3.PutObject")


def shipper(s3, folder, **changes) -> LogShipper:
    return LogShipper(s3, BUCKET, PREFIX, folder, **{"interval": 0.05, **changes})


def test_only_what_changed_is_sent(aws, s3, tmp_path):
    (tmp_path / "training.log").write_text("step 1\n")
    (tmp_path / "empty.log").touch()
    ship = shipper(s3, tmp_path)
    ship.ship()
    assert stored(s3) == {"training.log": b"step 1\n"}
    aws.forget_requests()
    ship.ship()
    assert puts(aws) == 0


def test_a_long_log_is_sent_in_parts_each_of_them_once(aws, s3, tmp_path, small_parts):
    path, ship = tmp_path / "training.log", shipper(s3, tmp_path)
    lines = [f"step {number:04d} of the training\n" for number in range(30)]
    path.write_text("".join(lines[:15]))
    ship.ship()
    aws.forget_requests()
    with path.open("a") as stream:
        stream.write("".join(lines[15:]))
    ship.ship()
    found = stored(s3)
    parts = sorted(name for name in found if name != "training.log")
    assert parts[0] == "training.log.000"
    assert len(parts) > 3
    assert b"".join(found[name] for name in [*parts, "training.log"]) == "".join(lines).encode()
    assert all(body.endswith(b"\n") for body in found.values())
    assert puts(aws) < len(parts)  # the first parts were not sent again


def test_half_a_line_waits_until_it_is_whole_or_the_end_comes(s3, tmp_path):
    path, ship = tmp_path / "training.log", shipper(s3, tmp_path)
    path.write_text("step 1\naws_secret_access_key = wJalrXUt")
    ship._ship(last=False)
    assert stored(s3)["training.log"] == b"step 1\n"
    path.write_text("step 1\naws_secret_access_key = wJalrXUtnFEMIK7MDENG\n")
    ship._ship(last=False)
    assert stored(s3)["training.log"] == b"step 1\naws_secret_access_key = (masked)\n"


def test_a_log_that_floods_is_bounded_by_the_round(aws, s3, tmp_path, small_parts):
    (tmp_path / "training.log").write_text("a line of a flood\n" * 1000)
    ship = shipper(s3, tmp_path)
    ship._ship(last=False)
    assert puts(aws) <= log_shipper.ROUND_PARTS + 1


def test_a_log_that_is_begun_anew(s3, tmp_path):
    path, ship = tmp_path / "console.log", shipper(s3, tmp_path)
    path.write_text("a long first version\n")
    ship.ship()
    path.write_text("short\n")
    ship.ship()
    assert stored(s3)["console.log"] == b"short\n"


def test_the_thread_ships_at_once_and_goes_on_after_failures(aws, s3, tmp_path):
    (tmp_path / "pipeline.log").write_text("first\n")
    aws.fault("PutObject", "SlowDown", status=503, times=2)

    def refresh():
        raise ValueError("the console cannot be read")

    ship = shipper(s3, tmp_path, refresh=refresh)
    ship.start()
    try:
        wait_for(lambda: stored(s3).get("pipeline.log") == b"first\n", "the log in S3")
    finally:
        ship.stop()


def test_another_shipper_of_the_same_folder_gives_the_same_objects(s3, tmp_path, small_parts):
    (tmp_path / "training.log").write_text("step of the training\n" * 20)
    shipper(s3, tmp_path).ship()
    before = stored(s3)
    shipper(s3, tmp_path).ship()  # the watcher's, after the pipeline's death
    assert stored(s3) == before
