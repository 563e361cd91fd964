"""Whose a thing is, for every relation that it can have to the lock, the archives and the instances. Without AWS."""

from __future__ import annotations

from dataclasses import replace

from chronos_training.control.orphans.classify import SETTLING_SECONDS, OrphanReport, classify
from chronos_training.control.orphans.snapshot import LOCK, SCHEDULE, UPLOAD, Snapshot
from chronos_training.core.instances import TERMINATION_SECONDS
from chronos_training.core.inventory import Resource
from chronos_training.core.record import RunRecord
from chronos_training.core.states import COMPLETED, RUNNING
from chronos_training.core.store import Observed

T = "2026-01-02T03:04:05Z"
RUN, OLD = "20260102-030405", "20260101-010101"


def held_lock(status: str = RUNNING, age: float = 5) -> Observed:
    return Observed(RunRecord("dev", RUN, "ann", status, T, T, T, "token", instance_id="i-1"), "etag", age)


def thing(
    kind: str, run_id: str = OLD, state: str = "available", attached_to: str = "", identity: str = "x-1"
) -> Resource:
    return Resource(kind, identity, state, run_id, "", attached_to, "us-east-1")


def reports_for(*resources: Resource, lock: Observed | None = None, death: str | None = None, ended: dict[str, float] | None = None,
         terminated: tuple[str, ...] = (), going: dict[str, float | None] | None = None) -> list[OrphanReport]:  # fmt: skip
    url = "s3://b/dev/system-state.json"
    return classify(Snapshot(list(resources), lock, url, death, ended or {}, frozenset(terminated), going or {}))


def only(*arguments: Resource, **named: object) -> OrphanReport:
    (report,) = reports_for(*arguments, **named)  # type: ignore[arg-type]
    return report


def test_the_active_runs_own() -> None:
    assert only(thing("instance", RUN), lock=held_lock()).owner == RUN


def test_another_runs_thing_beside_an_active_run_is_left_over() -> None:
    report = only(thing("instance"), lock=held_lock())
    assert (report.owner, report.blocked, report.passing) == ("", "", False)


def test_without_a_run_id_it_is_not_ended_beside_an_active_run() -> None:
    assert "may be using it" in only(thing("volume", ""), lock=held_lock()).blocked
    assert only(thing("volume", "")).blocked == ""


def test_everything_of_a_dead_run_is_left_over_and_so_is_its_lock() -> None:
    lock, instance = sorted(
        reports_for(thing("instance", RUN), lock=held_lock(), death="gone"), key=lambda f: f.resource.kind, reverse=True
    )
    assert lock.resource.kind == LOCK and "its run is dead: gone" in lock.name
    assert (instance.owner, instance.blocked, lock.blocked) == ("", "", "")


def test_a_run_that_is_letting_go_is_waited_for_and_not_touched() -> None:
    reports = reports_for(thing("instance", RUN), lock=held_lock(COMPLETED))
    assert len(reports) == 2 and all(f.passing and f.blocked for f in reports)


def test_a_machine_that_has_just_ended_its_run_is_on_its_way_out() -> None:
    assert only(thing("instance", state="running"), ended={OLD: 5.0}).passing
    assert only(thing("instance", state="running"), ended={OLD: TERMINATION_SECONDS - 1}).passing
    assert not only(thing("instance", state="running"), ended={OLD: TERMINATION_SECONDS}).passing
    assert only(thing(SCHEDULE), ended={OLD: 5.0}).passing  # its machine takes it away last of all
    assert not only(thing(SCHEDULE), ended={OLD: SETTLING_SECONDS}).passing
    assert not only(thing("instance", state="running")).passing
    assert not only(thing("snapshot"), ended={OLD: 5.0}).passing  # nothing takes a snapshot away


def test_what_hangs_on_an_instance_shares_its_fate() -> None:
    mine = reports_for(thing("instance", RUN, identity="i-1"), thing("volume", "", attached_to="i-1"), lock=held_lock())
    assert all(f.owner == RUN for f in mine)
    strange = reports_for(
        thing("instance", RUN, identity="i-1"), thing("volume", OLD, attached_to="i-1"), lock=held_lock()
    )
    assert "attached to i-1 of the active run" in next(f for f in strange if f.resource.kind == "volume").blocked
    assert only(thing("volume", attached_to="i-9"), terminated=("i-9",)).passing
    assert "cannot prove to be ours" in only(thing("volume", attached_to="i-7")).blocked


GPU = thing("instance", state="shutting-down", identity="i-9")


def test_what_ec2_is_ending_is_no_orphan() -> None:
    for run_id, lock in ((OLD, None), ("", None), (OLD, held_lock())):
        report = next(f for f in reports_for(replace(GPU, run_id=run_id), lock=lock) if f.resource.kind == "instance")
        assert (report.going, report.owner, report.passing, report.blocked) == (True, "", False, "")


def test_an_instance_that_ec2_is_ending_for_too_long_is_named_and_may_be_ended() -> None:
    late = TERMINATION_SECONDS + 60
    assert only(GPU, going={"i-9": late - 120}).going
    stuck = only(GPU, going={"i-9": late})
    assert not stuck.going and not stuck.blocked and "shutting-down for 16 min 00 s" in stuck.name
    # EC2 does not say since when: then the end of its run tells.
    assert only(GPU, going={"i-9": None}, ended={OLD: 60.0}).going
    assert not only(GPU, going={"i-9": None}, ended={OLD: late}).going


def test_what_goes_with_an_instance_is_going_and_what_stays_is_left_over() -> None:
    held = [thing(kind, run_id, attached_to="i-9") for kind in ("volume", "network interface") for run_id in (OLD, "")]
    assert all(f.going for f in reports_for(GPU, *held))
    staying = next(f for f in reports_for(GPU, replace(held[0], stays=True)) if f.resource.kind == "volume")
    assert (staying.going, staying.passing, staying.blocked) == (False, True, "")


def test_a_run_whose_instances_ec2_is_ending_is_not_at_work() -> None:
    """Its guard, a person or AWS itself has ended it. Its lock goes on proof: EC2's word that they are terminated."""
    mine = replace(GPU, run_id=RUN, resource_id="i-1")
    lock, instance = sorted(reports_for(mine, lock=held_lock()), key=lambda f: f.resource.kind, reverse=True)
    assert lock.resource.kind == LOCK and lock.passing and "EC2 is ending i-1" in lock.name
    assert "only when EC2 reports the instance as terminated" in lock.blocked and instance.going
    # As long as one of several lives, its run is at work; so it is while the one that it names is not listed.
    both = reports_for(mine, thing("instance", RUN, "running", identity="i-2"), lock=held_lock())
    assert all(f.owner == RUN for f in both)
    assert all(f.owner == RUN for f in reports_for(replace(mine, resource_id="i-3"), lock=held_lock()))


def test_an_upload_by_a_person_counts_only_if_older_than_the_run() -> None:
    old, new = "2026-01-01T00:00:00Z", "2026-01-02T04:00:00Z"
    assert reports_for(thing(UPLOAD, "", state=new), lock=held_lock()) == []
    assert only(thing(UPLOAD, "", state=old), lock=held_lock()).blocked == ""
    assert only(thing(UPLOAD, RUN, state=old), lock=held_lock()).owner == RUN
    assert only(thing(UPLOAD, OLD, state=new), lock=held_lock()).owner == ""
