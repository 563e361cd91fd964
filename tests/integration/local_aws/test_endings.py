"""How EC2 ends an instance: as slowly as was set, with or without asking its operating system, by force if it is stuck."""

from __future__ import annotations

from typing import Any

SLOW = 420.0
SCRIPT = "#!/bin/sh\necho up\n"


def terminate(aws: Any, instance_id: str, **how: bool) -> None:
    aws.client("ec2").terminate_instances(InstanceIds=[instance_id], **how)


def test_a_slow_end_takes_as_long_as_was_set_by_the_clock_of_aws(aws: Any) -> None:
    machine, bare = aws.launch(SCRIPT), aws.launch()
    for instance_id in (machine, bare):
        aws.wait_for_state(instance_id, "running")
    aws.inject(end_seconds=SLOW)
    for instance_id in (machine, bare):
        terminate(aws, instance_id)
        aws.inject(end_seconds=SLOW, clock_ahead=SLOW - 60)
    aws.wait_for_console(machine, "Power down")
    assert [aws.state(i) for i in (machine, bare)] == ["shutting-down"] * 2
    held = aws.client("ec2").describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [machine]}])
    assert held["Volumes"], "its volume goes when it is terminated"
    aws.inject(end_seconds=SLOW, clock_ahead=2 * SLOW)
    for instance_id in (machine, bare):
        aws.wait_for_state(instance_id, "terminated")


def test_a_machine_that_powers_itself_off_ends_as_slowly(aws: Any) -> None:
    aws.inject(end_seconds=SLOW)
    machine = aws.launch("#!/bin/sh\nshutdown -h now\n", InstanceInitiatedShutdownBehavior="terminate")
    aws.wait_for_state(machine, "shutting-down")
    assert aws.instance(machine)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    aws.inject()
    aws.wait_for_state(machine, "terminated")


def test_skipping_the_operating_system_cuts_the_power_at_once(aws: Any) -> None:
    asked, cut = aws.launch(SCRIPT), aws.launch(SCRIPT)
    for instance_id in (asked, cut):
        aws.wait_for_console(instance_id, "up")
    terminate(aws, asked)
    terminate(aws, cut, SkipOsShutdown=True)
    for instance_id in (asked, cut):
        aws.wait_for_state(instance_id, "terminated")
    assert "power cut, as asked: SkipOsShutdown" in aws.console(cut) and "Power down" not in aws.console(cut)
    assert "power cut" not in aws.console(asked)


def test_an_instance_that_is_stuck_is_ended_by_force(aws: Any) -> None:
    aws.inject(end_seconds=SLOW)
    stuck = aws.launch()
    aws.wait_for_state(stuck, "running")
    terminate(aws, stuck)
    aws.wait_for_state(stuck, "shutting-down")
    terminate(aws, stuck)
    assert aws.state(stuck) == "shutting-down"
    terminate(aws, stuck, Force=True)
    aws.wait_for_state(stuck, "terminated")
