"""What is tried again and for how long; time is the test's."""

from __future__ import annotations

import pytest
from botocore.exceptions import NoCredentialsError

from chronos_training.agent.retry_policy import OUTAGE_SECONDS, RetryPolicy, is_passing
from chronos_training.core import aws
from chronos_training.core.errors import DataError, PermissionDenied, TrainingError, Unreachable


class Time:
    def __init__(self):
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds

    def clock(self):
        return self.now


@pytest.fixture
def time():
    return Time()


def fails_until(time, end):
    def action():
        time.now += 3
        if time.now < end:
            raise Unreachable("no answer")
        return "done"

    return action


def test_an_outage_of_two_minutes_is_bridged(time):
    assert OUTAGE_SECONDS >= 2 * 60
    assert RetryPolicy(sleep=time.sleep, clock=time.clock)(fails_until(time, 130)) == "done"


def test_an_outage_without_end_is_given_up(time):
    with pytest.raises(Unreachable):
        RetryPolicy(60, sleep=time.sleep, clock=time.clock)(fails_until(time, 1e9))
    assert 40 < time.now < 80


def test_what_does_not_pass_is_not_repeated(time):
    calls = []

    def action():
        calls.append(1)
        raise PermissionDenied("no")

    with pytest.raises(PermissionDenied):
        RetryPolicy(sleep=time.sleep, clock=time.clock)(action)
    assert calls == [1]


def test_two_outages_with_progress_between_them_are_two(time):
    retry_policy = RetryPolicy(60, sleep=time.sleep, clock=time.clock)

    def action():
        time.now += 1
        if time.now < 50:
            raise Unreachable("first outage")
        if time.now < 900:
            retry_policy.working()
            time.now = 1000
            raise Unreachable("second outage, much later")
        if time.now < 1040:
            raise Unreachable("second outage")
        return "done"

    assert retry_policy(action) == "done"


def test_a_request_to_stop_ends_the_waiting(time):
    class Stop(TrainingError):
        pass

    def check():
        raise Stop("asked to stop")

    with pytest.raises(Stop):
        RetryPolicy(check=check, sleep=time.sleep, clock=time.clock)(fails_until(time, 1e9))


def test_missing_credentials_pass_and_bad_data_does_not():
    with pytest.raises(TrainingError) as caught, aws.explained("read"):
        raise NoCredentialsError
    assert is_passing(caught.value)
    assert is_passing(RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."))
    assert not is_passing(DataError("corrupt"))
    assert not is_passing(RuntimeError("a bug"))
