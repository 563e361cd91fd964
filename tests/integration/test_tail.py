"""The logs as the instance's shipper stores them are streamed whole, once and in order, also while they move on to a part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chronos_training.agent import log_shipper
from chronos_training.agent.log_shipper import LogShipper
from chronos_training.control.lifecycle import tail
from chronos_training.control.lifecycle.tail import Tail

BUCKET, PREFIX = "tailed-logs", "dev/logs/20260101-000000/"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log on the instance; a part of it in the bucket is a kilobyte instead of a megabyte."""
    monkeypatch.setattr(log_shipper, "PART_BYTES", 1024)
    return tmp_path / "training.log"


def write(log: Path, numbers: range) -> list[str]:
    lines = [f"2026-01-01 00:00:{number:02d} INFO step {number}" for number in numbers]
    with log.open("a") as stream:
        stream.writelines(f"{line}\n" for line in lines)
    return [f"training | {line}" for line in lines]


def shipper(s3: Any, log: Path) -> LogShipper:
    return LogShipper(s3, BUCKET, PREFIX, log.parent, 1.0)


def test_every_line_comes_once_and_in_order_while_the_log_grows_over_many_parts(s3: Any, log: Path) -> None:
    ship, follow = shipper(s3, log), Tail(s3, BUCKET, PREFIX, ["training"])
    assert follow.new_lines() == []
    begin = 0
    for count in (1, 3, 20, 45, 1, 2, 70, 5):  # within a part, over one, over several, and just after one
        new = write(log, range(begin, begin + count))
        ship.ship()
        assert follow.new_lines() == new, f"after {begin}"
        assert follow.new_lines() == []
        begin += count


def test_between_a_part_and_the_log_that_moves_on_nothing_comes_twice(s3: Any, log: Path) -> None:
    """The shipper stores a full part first and the rest of the log after it: a look may fall between the two."""
    ship, follow = shipper(s3, log), Tail(s3, BUCKET, PREFIX, ["training"])
    first = write(log, range(5))
    ship.ship()
    assert follow.new_lines() == first
    stale = s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}training.log")["Body"].read()
    new = write(log, range(5, 40))
    ship.ship()
    moved_on = s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}training.log")["Body"].read()
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}training.log", Body=stale)
    seen = follow.new_lines()
    assert seen == new[: len(seen)] and 0 < len(seen) < len(new)
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}training.log", Body=moved_on)
    assert seen + follow.new_lines() == new


def test_of_a_log_that_is_there_the_last_lines_come_first(s3: Any, log: Path) -> None:
    ship = shipper(s3, log)
    lines = write(log, range(100))
    ship.ship()
    follow = Tail(s3, BUCKET, PREFIX, ["training"])
    seen = follow.new_lines()
    assert seen == lines[-len(seen) :] and len(seen) <= tail.FIRST_LINES
    new = write(log, range(100, 160))
    ship.ship()
    assert follow.new_lines() == new


def test_a_log_that_was_begun_anew_is_read_from_its_begin(s3: Any) -> None:
    follow = Tail(s3, BUCKET, PREFIX, ["training"])
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}training.log", Body=b"one\ntwo\nthree\n")
    assert len(follow.new_lines()) == 3
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}training.log", Body=b"again\n")
    assert follow.new_lines() == ["training | again"]


def test_only_the_wanted_logs_of_every_instance_and_only_whole_lines(s3: Any) -> None:
    follow = Tail(s3, BUCKET, PREFIX, ["training", "pipeline"])
    for name in ("training.log", "pipeline.log", "watcher.log", "member-1/training.log", "training.txt"):
        s3.put_object(Bucket=BUCKET, Key=PREFIX + name, Body=b"whole\nhal")
    assert follow.new_lines() == ["member-1/training | whole", "pipeline | whole", "training | whole"]
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}training.log", Body=b"whole\nhalf\n")
    assert follow.new_lines() == ["training | half"]
    assert follow.new_lines(last=True) == ["member-1/training | hal", "pipeline | hal"]
    assert follow.new_lines(last=True) == []


def test_what_would_move_the_cursor_is_left_out(s3: Any) -> None:
    body = b"  0%|   | 0/10\r 50%|## | 5/10\r100%|####| 10/10\r\n\x1b[31mred\x1b[0m \x1b[2Jwiped\x07\n"
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}training.log", Body=body)
    assert Tail(s3, BUCKET, PREFIX, ["training"]).new_lines() == [
        "training | 100%|####| 10/10",
        "training | red wiped",
    ]
