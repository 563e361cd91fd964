"""Who holds an environment, said completely: run, owner, step, age, the instance's real state, the safe next command."""

from __future__ import annotations

from chronos_training.control.lifecycle.reconcile import CONSISTENCY_SECONDS
from chronos_training.core.aws_types import EC2Client
from chronos_training.core.clock import duration, parse_iso, utc_now
from chronos_training.core.commands import fix, playbook
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import find_instances
from chronos_training.core.states import FINAL
from chronos_training.core.store import STALE_SECONDS, Observed

NOT_LISTED = "not listed by EC2"
UNSEEN = "unseen"
HEAD_NODE_GONE = "head_node_gone"  # the head node is terminated, a worker is not yet


def describe(observed: Observed) -> str:
    """Return one line on what the run is doing."""
    record = observed.record
    step = record.current_step or record.status
    since = record.steps.get(step, {}).get("started_at", record.created_at)
    age = duration((utc_now() - parse_iso(since)).total_seconds())
    stale = "STALE, " if observed.age_seconds > STALE_SECONDS else ""
    return f"step {step} for {age}, {stale}last heartbeat {duration(observed.age_seconds)} ago"


def refusal(observed: Observed, url: str, ec2: EC2Client, project: str) -> str:
    """Return the refusal of whatever needs a free environment: who holds it, what EC2 says, the one safe next command."""
    record = observed.record
    said, state = instance_status(observed, ec2, project)
    verb = f"has ended as {record.status} but still holds the lock of" if record.status in FINAL else "is active in"
    return (
        f"Run {record.run_id} {verb} {record.env}: {describe(observed)}. Owner {record.owner}; {said}. State: {url}. "
        f"Nothing was changed. {next_step(observed, state)}"
    )


def next_step(observed: Observed, state: str | None) -> str:
    """Return the one safe next command for this situation, and why it is that one.

    `state` is EC2's word on the run's instance: a state, NOT_LISTED, UNSEEN, or None when the run has none yet. Pure.
    """
    record, env = observed.record, observed.record.env
    stale = observed.age_seconds > STALE_SECONDS
    monitor, kill = playbook(env, "monitor_training"), playbook(env, "kill_training")
    remedy = f"the next launch reconciles it; to do so without launching: {fix(env)}"
    if state == UNSEEN:
        return f"The state of its instance could not be read, which says nothing about the run. Watch it: {monitor}"
    if state == "terminated":
        return f"The run is dead; {remedy}"
    if state == HEAD_NODE_GONE:
        return f"Its head node is gone, and its workers end on their own within minutes; to end them now: {kill}"
    if state == "shutting-down":
        return (
            "EC2 is ending its instance, which takes a GPU instance 5 to 8 minutes; "
            f"a launch waits for that and reconciles the run; to do so without launching: {fix(env)}"
        )
    if record.status in FINAL:
        if observed.age_seconds > CONSISTENCY_SECONDS:
            return f"It never released its lock. Release it: {fix(env)}"
        return f"It is about to release its lock. Wait for that: {monitor}"
    if state == "stopping":
        return f"Its instance is stopping and no longer works on the run. End the run: {kill}"
    if state == "stopped":
        return f"Its instance is stopped and does not work on the run. End the run: {kill}"
    if state in {None, NOT_LISTED}:
        wait = CONSISTENCY_SECONDS - observed.age_seconds
        if wait > 0:
            # EC2 lists a new instance late: until then only time can tell a launch under way from a dead one.
            return f"Whether its launch is in progress or was interrupted is certain in {duration(wait)}. Watch it: {monitor}"
        return f"The run is dead; {remedy}"
    if stale:
        return (
            f"The instance runs, but the run has sent no heartbeat for {duration(observed.age_seconds)}. "
            f"End it, keeping what it stored: {kill}"
        )
    return f"Watch it: {monitor} (to end it instead: {kill})"


def instance_status(observed: Observed, ec2: EC2Client, project: str) -> tuple[str, str | None]:
    """Return what EC2 says about the run's instance: as words, and as a state that `next_step` knows."""
    record = observed.record
    try:
        known = {i.instance_id: i.state for i in find_instances(ec2, project, record.env, record.run_id, live=False)}
    except TrainingError as error:
        name = f"instance {record.instance_id}" if record.instance_id else "no instance recorded yet"
        return f"{name}, its state could not be read ({error.message})", UNSEEN
    if record.instance_id is not None:
        state = known.get(record.instance_id, NOT_LISTED)
        others = "".join(f", {member} is {known.get(member, NOT_LISTED)}" for member in record.members)
        if (
            record.members
            and state == "terminated"
            and any(known.get(m) not in {None, "terminated"} for m in record.members)
        ):
            state = HEAD_NODE_GONE
        return f"instance {record.instance_id} is {known.get(record.instance_id, NOT_LISTED)}{others}", state
    # Started, but the launcher did not live to enter it: the tags still tell.
    live = [(identity, state) for identity, state in known.items() if state != "terminated"]
    if live:
        return f"instance {live[0][0]} is {live[0][1]} (not yet recorded in the state file)", live[0][1]
    return "no instance yet", None


def instance_state(observed: Observed, ec2: EC2Client, project: str) -> str:
    """Return what EC2 says about the run's instance, as words."""
    return instance_status(observed, ec2, project)[0]
