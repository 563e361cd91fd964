"""The answer table of the primitive, row by row, and any mixture of faults."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronos_training.core.cas import ConditionalObject, Lost, Unresolved
from chronos_training.core.errors import PermissionDenied
from chronos_training.core.wire import Answer

from .memory_wire import MemoryObject, MemoryWire


def conditional(stored: MemoryObject, faults=None, before=None) -> ConditionalObject:
    return ConditionalObject(MemoryWire(stored, faults, before), sleep=lambda seconds: None, rng=lambda: 0.5)


def test_create_replace_delete():
    stored = MemoryObject()
    one = conditional(stored)
    first = one.write(b"1", None)
    second = one.write(b"2", first.etag)
    assert one.read().body == b"2"
    one.delete(second.etag)
    assert one.read() is None


@pytest.mark.parametrize("fault", ["lost-before", "lost-after", Answer.CONFLICT, Answer.UNKNOWN])
def test_a_write_survives_one_fault_and_happens_once(fault):
    stored = MemoryObject()
    assert conditional(stored, {0: fault}).write(b"mine", None).body == b"mine"
    assert stored.writes == [b"mine"]


@pytest.mark.parametrize("fault", ["lost-before", "lost-after", Answer.CONFLICT, Answer.UNKNOWN])
def test_a_delete_survives_one_fault(fault):
    stored = MemoryObject()
    etag = conditional(stored).write(b"mine", None).etag
    conditional(stored, {0: fault}).delete(etag)
    assert stored.body is None


def test_the_loser_of_a_create_is_told_who_won():
    stored = MemoryObject()
    conditional(stored).write(b"theirs", None)
    with pytest.raises(Lost) as lost:
        conditional(stored).write(b"mine", None)
    assert lost.value.current.body == b"theirs"


def test_a_stale_writer_loses():
    stored = MemoryObject()
    one = conditional(stored)
    old = one.write(b"1", None).etag
    one.write(b"2", old)
    with pytest.raises(Lost):
        one.write(b"3", old)
    assert stored.body == b"2"


def test_a_delete_of_something_newer_is_refused():
    stored = MemoryObject()
    one = conditional(stored)
    old = one.write(b"1", None).etag
    one.write(b"2", old)
    with pytest.raises(Lost):
        one.delete(old)
    assert stored.body == b"2"


def test_a_404_on_the_first_delete_is_somebody_elses():
    stored = MemoryObject()
    etag = conditional(stored).write(b"1", None).etag
    conditional(stored).delete(etag)
    with pytest.raises(Lost):
        conditional(stored).delete(etag)


def test_denied_is_said_at_once():
    wire = MemoryWire(MemoryObject(), {0: Answer.DENIED})
    wire.refusal = "AccessDenied: by a policy"
    with pytest.raises(
        PermissionDenied, match=r"No permission to write s3://bucket/key \(AccessDenied: by a policy\)\."
    ):
        ConditionalObject(wire, sleep=lambda seconds: None).write(b"1", None)
    assert wire.requests == 2  # the write, and one look whether it was the condition


def test_denied_because_it_is_gone_is_a_loss():
    """To a principal that may list only below a prefix S3 says 403 about an absent key."""
    with pytest.raises(Lost) as lost:
        conditional(MemoryObject(), {0: Answer.DENIED}).write(b"2", "etag-of-what-was-there")
    assert lost.value.current is None


def test_an_outcome_that_cannot_be_known_is_said():
    faults = dict.fromkeys(range(100), Answer.UNKNOWN)
    with pytest.raises(Unresolved, match="may or may not"):
        conditional(MemoryObject(), faults).write(b"1", None)


FAULT = st.sampled_from(["lost-before", "lost-after", Answer.CONFLICT, Answer.UNKNOWN])


@given(st.dictionaries(st.integers(0, 30), FAULT), st.lists(st.booleans(), max_size=12))
def test_acknowledged_writes_are_exactly_the_committed_ones(faults, others):
    """Two writers on one object, any faults on one of them: what it was told is what happened."""
    stored = MemoryObject()
    rival = conditional(stored)
    turn = itertools.count()

    def interfere(number: int) -> None:
        if number < len(others) and others[number]:
            try:
                rival.write(b"rival %d" % next(turn), stored.etag)
            except Lost:
                pytest.fail("the rival acts between requests and cannot lose")

    mine = conditional(stored, faults, interfere)
    told: list[bytes] = []
    unknown: list[bytes] = []
    etag = stored.etag
    for n in range(4):
        body = b"mine %d" % n
        try:
            etag = mine.write(body, etag).etag
            told.append(body)
        except Lost as lost:
            # A rival's write on top of ours after a lost answer looks like a loss; the store above re-reads.
            unknown.append(body)
            etag = lost.current.etag if lost.current else None
        except Unresolved:
            unknown.append(body)
            etag = stored.etag
    committed = [body for body in stored.writes if body.startswith(b"mine")]
    assert [body for body in committed if body not in unknown] == told
    assert len(set(committed)) == len(committed)
