"""How instances are ended and waited for, with an EC2 whose clock and states the test sets."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from chronos_training.core import instances as module
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import TERMINATION_SECONDS, find_instances, terminate, wait_until_terminated

NOW = "Sat, 28 Nov 2026 17:00:00 GMT"


class Ec2:
    """Two calls of EC2: what DescribeInstances says, by id, and what TerminateInstances was asked."""

    def __init__(self, **states: tuple[str, str]) -> None:
        self.states = {identity.replace("_", "-"): state for identity, state in states.items()}
        self.asked: list[dict[str, Any]] = []

    def get_paginator(self, name: str) -> Ec2:
        assert name == "describe_instances"
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        found = [
            {
                "InstanceId": identity,
                "State": {"Name": state},
                "StateTransitionReason": reason,
                "InstanceType": "g4dn.2xlarge",
                "Placement": {"AvailabilityZone": "us-east-1a"},
                "LaunchTime": datetime(2026, 11, 28, 12, tzinfo=timezone.utc),
            }
            for identity, (state, reason) in self.states.items()
        ]
        headers = {"HTTPHeaders": {"date": NOW}}
        return [{"Reservations": [{"Instances": [one]}], "ResponseMetadata": headers} for one in found]

    def terminate_instances(self, **request: Any) -> None:
        self.asked.append(request)


def test_how_long_ec2_has_been_ending_an_instance_by_its_own_clock() -> None:
    ec2 = Ec2(
        i_1=("running", ""),
        i_2=("shutting-down", "User initiated (2026-11-28 16:54:30 GMT)"),
        i_3=("shutting-down", ""),  # it powered itself off
        i_4=("shutting-down", "User initiated (2026-11-28 16:40:00 GMT)"),
    )
    found = {i.instance_id: i for i in find_instances(ec2, "p", "dev", live=False)}
    assert [found[f"i-{n}"].going_seconds for n in (1, 2, 3, 4)] == [None, 330.0, None, 1200.0]
    assert [found[f"i-{n}"].stuck for n in (1, 2, 3, 4)] == [False, False, False, True]


def test_what_ec2_is_ending_is_not_asked_for_again_unless_it_is_stuck() -> None:
    going, stuck = (
        ("shutting-down", "User initiated (2026-11-28 16:59:00 GMT)"),
        "User initiated (2026-11-28 16:30:00 GMT)",
    )
    ec2 = Ec2(i_1=("running", ""), i_2=going, i_3=("shutting-down", stuck))
    terminate(ec2, find_instances(ec2, "p", "dev", live=False))
    forced = {"InstanceIds": ["i-3"], "Force": True, "SkipOsShutdown": True}
    assert ec2.asked == [{"InstanceIds": ["i-1"]}, forced]


def test_a_kill_by_force_does_not_ask_the_operating_system() -> None:
    ec2 = Ec2(i_1=("running", ""), i_2=("shutting-down", ""))
    terminate(ec2, find_instances(ec2, "p", "dev"), skip_os_shutdown=True)
    assert ec2.asked == [{"InstanceIds": ["i-1", "i-2"], "SkipOsShutdown": True}]


def test_a_wait_shows_what_for_and_ends_after_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    ec2, shown = Ec2(i_1=("shutting-down", ""), i_2=("terminated", "")), []
    found = find_instances(ec2, "p", "dev", live=False)
    with pytest.raises(
        TrainingError, match=r"EC2 has not ended i-1 .* in 15 min .*, although it has accepted the request"
    ) as raised:
        wait_until_terminated(ec2, found, "p", "dev", show=lambda what, waited: shown.append((what, waited)))
    assert "does not bill an instance that is shutting down" in raised.value.hint and "by force" in raised.value.hint
    assert shown[0] == ("waiting for EC2 to end i-1 (shutting-down)", 0.0) and shown[-1][1] <= TERMINATION_SECONDS
    ec2.states["i-1"] = ("running", "")
    with pytest.raises(TrainingError, match="They may still cost money"):
        wait_until_terminated(ec2, found, "p", "dev")
