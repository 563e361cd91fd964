"""The clock of the embedded AWS: what happens later, and how it is advanced."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from local_aws.clock import Clock, ClockError
from local_aws.testing import EmbeddedAws

DAY = 86400.0


@pytest.fixture
def clock():
    made = Clock()
    yield made
    made.stop()


def test_thirty_days_of_a_daily_timer_happen_in_order(clock: Clock) -> None:
    begun = clock.now()
    fired: list[float] = []

    def daily(due: float) -> None:
        fired.append(due)
        clock.call_at(due + DAY, "daily", lambda: daily(due + DAY))

    clock.call_at(begun + DAY, "daily", lambda: daily(begun + DAY))
    clock.advance(begun + 30 * DAY + 1)
    assert fired == [begun + day * DAY for day in range(1, 31)]


def test_a_timer_sees_the_time_it_was_set_for(clock: Clock) -> None:
    seen: list[float] = []
    due = clock.now() + 7 * DAY
    clock.call_at(due, "look", lambda: seen.append(clock.now() - due))
    clock.advance(due + DAY)
    assert 0 <= seen[0] < 60  # the time that the call itself takes is real


def test_time_does_not_pass_while_work_is_under_way(clock: Clock) -> None:
    begun = clock.now()
    release, order = threading.Event(), []

    def work() -> None:
        end = clock.begin("a task")

        def later() -> None:
            release.wait(timeout=30)
            order.append("task")
            end()

        threading.Thread(target=later).start()

    clock.call_at(begun + 10, "start a task", work)
    clock.call_at(begun + DAY, "next day", lambda: order.append("next day"))
    advancing = threading.Thread(target=clock.advance, args=(begun + 2 * DAY,))
    advancing.start()
    while "a task" not in clock.describe()["under_way"]:
        pass
    assert clock.now() < begun + DAY
    release.set()
    advancing.join(timeout=30)
    assert order == ["task", "next day"]


def test_a_cancelled_timer_does_not_happen(clock: Clock) -> None:
    fired: list[str] = []
    clock.call_after(10, "cancelled", lambda: fired.append("cancelled")).cancel()
    clock.call_after(20, "kept", lambda: fired.append("kept"))
    clock.advance(clock.now() + 60)
    assert fired == ["kept"]


def test_an_error_of_a_timer_stops_no_other(clock: Clock) -> None:
    fired: list[str] = []
    clock.call_after(10, "broken", lambda: 1 // 0)
    clock.call_after(20, "well", lambda: fired.append("well"))
    clock.advance(clock.now() + 60)
    assert fired == ["well"]


def test_work_that_does_not_end_is_named(clock: Clock) -> None:
    clock.begin("a task that hangs")
    with pytest.raises(ClockError, match="a task that hangs"):
        clock.advance(clock.now() + 60, patience=0.1)


def test_the_clock_does_not_go_back(clock: Clock) -> None:
    with pytest.raises(ClockError, match="forward only"):
        clock.advance(clock.now() - 60)


def test_moto_has_the_same_time(aws: EmbeddedAws) -> None:
    aws.client("s3").create_bucket(Bucket="before")
    aws.advance(3 * DAY)
    s3 = aws.client("s3")
    s3.put_object(Bucket="before", Key="later", Body=b"")
    assert abs(s3.head_object(Bucket="before", Key="later")["LastModified"] - aws.now()) < timedelta(minutes=5)
    role = aws.client("iam").create_role(RoleName="late", AssumeRolePolicyDocument="{}")["Role"]
    assert abs(role["CreateDate"] - aws.now()) < timedelta(minutes=5)


def test_a_reset_account_has_the_time_of_its_computer(aws: EmbeddedAws) -> None:
    aws.advance(3 * DAY)
    before = aws.now()
    aws.reset()
    assert before - aws.now() > timedelta(days=2)
