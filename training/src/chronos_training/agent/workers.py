"""The other instances of a run, as its head node sees them: looked at while the training needs them, ended with the
run.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable

from chronos_training.core import aws
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import find_instances, terminate
from chronos_training.core.store import Observed, StateStore

from .paths import Run

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
# The launch enters all instances in the state right after EC2 has started them.
NAMED_SECONDS = 300.0
NAMED_POLL_SECONDS = 2.0
GONE = {"shutting-down", "terminated", "stopping", "stopped"}


class Workers:
    """Notes in `lost` that one of the others is gone. An EC2 that does not answer says nothing about them."""

    def __init__(self, run: Run, ids: list[str]) -> None:
        """`ids` are the workers that the state names."""
        self._run, self._ids = run, ids
        self._thread = threading.Thread(target=self._loop, name="workers", daemon=True)
        self.needed = True  # False: they may go
        self.lost: str | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def check(self) -> None:
        """Look once, unless they may go."""
        if not self.needed or self.lost is not None:
            return
        try:
            ec2 = aws.client("ec2", region=self._run.region)
            found = find_instances(ec2, self._run.project, self._run.env, self._run.run_id, live=False)
        except TrainingError as error:
            log.warning("the other instances cannot be listed: %s", error)
            return
        states = {instance.instance_id: instance.state for instance in found}
        for instance_id in self._ids:
            if states.get(instance_id) in GONE and self.needed:
                number = self._ids.index(instance_id) + 1
                self.lost = (
                    f"Instance {instance_id} of this run is {states[instance_id]}: the training cannot continue "
                    f"without it. Its logs are in member-{number}/ next to the run's."
                )
                log.error("%s", self.lost)
                return

    def _loop(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                self.check()
            except Exception:
                log.exception("the other instances cannot be listed")


def wait_until_named(store: StateStore, run: Run, check: Callable[[], None]) -> list[str]:
    """Return the workers once the state names all of them. `check` may raise to end the waiting.

    Raises TrainingError when they are not named in time: then the launch was cut short, and knows of none of them.
    """
    deadline = time.monotonic() + NAMED_SECONDS
    while True:
        check()
        try:
            observed = store.read()
        except TrainingError as error:
            log.warning("state not readable: %s", error)
        else:
            if observed is not None and len(observed.record.instances) >= run.instances:
                return list(observed.record.members)
        if time.monotonic() > deadline:
            raise TrainingError(
                f"The launch was interrupted: the state file does not name all {run.instances} instances of the run.",
                hint="Launch again.",
            )
        time.sleep(NAMED_POLL_SECONDS)


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("", 0))
        return int(listener.getsockname()[1])


def end_workers(run: Run, observed: Observed) -> bool:
    """Have every other instance of the run terminated, and return when EC2 has accepted that. TrainingError when not.

    It is not waited for: a GPU instance takes minutes, this one would be paid for, and nothing stops their end any more.
    """
    ec2 = aws.client("ec2", region=run.region)
    alive = find_instances(ec2, run.project, run.env, run.run_id)
    others = [instance for instance in alive if instance.instance_id != observed.record.instance_id]
    terminate(ec2, others)
    return True
