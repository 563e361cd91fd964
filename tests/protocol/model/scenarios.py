"""Who takes part, which faults may happen, and which safeguard is shown to matter by which scenario."""

from __future__ import annotations

from typing import NamedTuple

from .explore import Cast
from .rules import Safeguards
from .state import Budget

LAUNCH = ("ann", "launch", ("ann", "run1", ("t1",)))
LAUNCH_TWO_ZONES = ("ann", "launch", ("ann", "run1", ("t1", "t2")))
SECOND_LAUNCH = ("bob", "launch", ("bob", "run2", ("t3",)))
KILL = ("eve", "kill", ("eve",))

NONE = Budget(crashes=0, lost=0, delayed=0)
LOST_ANSWER = Budget(crashes=0, lost=1, delayed=0)
NO_ANSWER = Budget(crashes=0, lost=2, delayed=0)
LATE = Budget(crashes=1, lost=0, delayed=1)
HARDWARE = Budget(crashes=0, lost=0, delayed=0, hardware=1)
CAPACITY = Budget(crashes=1, lost=0, delayed=0, capacity=1)


class Scenario(NamedTuple):
    """A cast within a budget of faults."""

    name: str
    cast: Cast
    budget: Budget


QUICK = (
    Scenario("launch, kill", (LAUNCH, KILL), NONE),
    Scenario("launch; no answer from EC2", (LAUNCH,), NO_ANSWER),
)
LONG = (
    Scenario("two launches", (LAUNCH, SECOND_LAUNCH), NONE),
    Scenario("launch, kill; a crash, a late request", (LAUNCH, KILL), LATE),
    Scenario("launch in two zones, kill; a crash, no capacity", (LAUNCH_TWO_ZONES, KILL), CAPACITY),
    Scenario("two launches; a crash, a late request", (LAUNCH, SECOND_LAUNCH), LATE),
    Scenario("two launches; the death of an instance", (LAUNCH, SECOND_LAUNCH), HARDWARE),
    Scenario("launch, kill; a lost answer", (LAUNCH, KILL), LOST_ANSWER),
    Scenario("two launches; a lost answer", (LAUNCH, SECOND_LAUNCH), LOST_ANSWER),
)

RESULTS = "results are stored by an instance that is not the one in the state"
TWO_INSTANCES = "a run has two live instances"
TWO_WORKERS = "two workers past the boot claim"
LAUNCH_LEFT_ONE = "a launch gave its lock back although an instance of it lives"


class Removal(NamedTuple):
    """One safeguard taken away, the scenario that shows what it is good for, and the invariant that breaks.

    `waived` invariants are left out of account: they break earlier on the same way.
    """

    what: str
    safe: Safeguards
    cast: Cast
    budget: Budget
    invariant: str
    waived: frozenset[str] = frozenset()


REMOVALS = (
    Removal("the instance claims the run before it works", Safeguards(boot_claim=False), (LAUNCH,), NONE, RESULTS),
    Removal(
        "a run is claimed by one instance (second line behind the ClientToken, which is removed too)",
        Safeguards(claim_is_once=False, client_token=False),
        (LAUNCH,),
        LOST_ANSWER,
        "the run was claimed by a second instance",
        frozenset({TWO_INSTANCES}),
    ),
    Removal(
        "kill waits until EC2 says terminated",
        Safeguards(confirm_terminated=False),
        (LAUNCH, KILL),
        NONE,
        RESULTS,
    ),
    Removal(
        "nothing is taken over on age alone",
        Safeguards(proof_before_takeover=False),
        (LAUNCH, SECOND_LAUNCH),
        NONE,
        RESULTS,
    ),
    Removal(
        "'no instance is listed' proves something only after the consistency window",
        Safeguards(consistency_window=False),
        (LAUNCH, SECOND_LAUNCH),
        NONE,
        TWO_WORKERS,
        frozenset({RESULTS}),
    ),
    Removal(
        "a lock is closed on the very version whose run was proved dead",
        Safeguards(close_only_what_was_proved=False),
        (LAUNCH, KILL),
        NONE,
        RESULTS,
    ),
    Removal(
        "every body holds a fresh nonce",
        Safeguards(nonce=False),
        (LAUNCH, KILL),
        LOST_ANSWER,
        "a write was acknowledged that was never committed",
    ),
    Removal(
        "a refused write is compared with what is stored: it may be our own",
        Safeguards(settle_lost_answers=False),
        (LAUNCH,),
        LOST_ANSWER,
        "a lock is left although nobody crashed",
    ),
    Removal(
        "a delete names the version it saw (If-Match)",
        Safeguards(if_match_on_delete=False),
        (LAUNCH, SECOND_LAUNCH),
        NONE,
        "a delete removed another version than the one observed",
    ),
    Removal(
        "a write names the version it replaces (If-Match)",
        Safeguards(if_match_on_write=False),
        (LAUNCH,),
        NONE,
        "the sequence does not grow: a stale writer replaced a newer version",
    ),
    Removal(
        "the lock is created, never overwritten (If-None-Match)",
        Safeguards(if_none_match_on_create=False),
        (LAUNCH, SECOND_LAUNCH),
        NONE,
        "a write replaced the state of another run",
    ),
    Removal(
        "RunInstances is repeated with the same ClientToken",
        Safeguards(client_token=False),
        (LAUNCH,),
        LOST_ANSWER,
        TWO_INSTANCES,
    ),
    Removal(
        "the intent is stored before RunInstances",
        Safeguards(intent_first=False),
        (LAUNCH,),
        NONE,
        "an instance lives whose run no state ever named",
    ),
    Removal(
        "an update belongs to the run it was made for",
        Safeguards(run_checked_on_update=False),
        (LAUNCH, SECOND_LAUNCH),
        NONE,
        RESULTS,
    ),
    Removal(
        "an ended run is not written to any more",
        Safeguards(final_is_final=False),
        (LAUNCH,),
        NONE,
        "a lock is left although nobody crashed",
    ),
    Removal(
        "kill also releases the lock of a run that began while it looked",
        Safeguards(kill_releases_what_it_ended=False),
        (LAUNCH, KILL),
        NONE,
        "a lock is left although nobody crashed",
    ),
    Removal(
        "kill waits until EC2 lists what a launch may have started",
        Safeguards(kill_waits_until_listed=False),
        (LAUNCH, KILL),
        NONE,
        "kill ended although an instance lives that it was to end",
    ),
    Removal(
        "a launch keeps its lock while nobody can know whether it started an instance",
        Safeguards(unknown_keeps_the_lock=False),
        (LAUNCH,),
        NO_ANSWER,
        LAUNCH_LEFT_ONE,
    ),
    Removal(
        "an instance that cannot be entered in the state is ended by its id: it may not be listed yet",
        Safeguards(attach_or_end=False),
        (LAUNCH, KILL),
        NONE,
        LAUNCH_LEFT_ONE,
    ),
)
