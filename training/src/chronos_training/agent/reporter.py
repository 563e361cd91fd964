"""The instance's one writer of the state: heartbeat, step and progress, and the ear for a kill request."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from chronos_training.core.clock import iso, utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.live_progress import LiveProgress
from chronos_training.core.record import RunRecord
from chronos_training.core.store import Fenced, Observed, StateStore

log = logging.getLogger(__name__)


class Reporter:
    """Writes the run's record every `interval` seconds and at once on a new step.

    `kill` is set when somebody asked the run to stop, `fenced` when the state no longer is this run's. An S3 that does
    not answer changes nothing: reporting is retried, training continues.
    """

    def __init__(self, store: StateStore, observed: Observed, interval: float, beat: Callable[[], None]) -> None:
        """`observed` is the claimed record; `beat` is called after each try to write, for the watcher."""
        self._store, self._observed, self._interval = store, observed, interval
        self._beat = beat
        self._step: str | None = None
        self._steps: dict[str, dict[str, str]] = {}
        self._progress = LiveProgress()
        self._rendezvous: str | None = None
        self._cost: Callable[[], float | None] = lambda: None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.kill = threading.Event()
        self.fenced = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="heartbeat", daemon=True)

    @property
    def record(self) -> RunRecord:
        """Return the record as last seen in the store."""
        return self._observed.record

    @property
    def observed(self) -> Observed:
        """Return the last stored version."""
        return self._observed

    @property
    def steps(self) -> dict[str, dict[str, str]]:
        """Return the steps so far: step -> started_at, ended_at."""
        return {name: dict(times) for name, times in self._steps.items()}

    def start(self) -> None:
        """Begin the heartbeat."""
        self._thread.start()

    def stop(self) -> None:
        """End the heartbeat; after this nobody but `end_run` writes the state."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)

    def begin(self, step: str) -> None:
        """Enter `step`; the one before ends now."""
        now = iso(utc_now())
        if self._step is not None:
            self._steps[self._step]["ended_at"] = now
        self._step, self._progress = step, LiveProgress()
        self._steps[step] = {"started_at": now}
        log.info("step %s", step)
        self.flush()

    def end_step(self) -> None:
        """Note the end of the current step; written by the next flush."""
        if self._step is not None:
            self._steps[self._step]["ended_at"] = iso(utc_now())

    def progress(self, progress: LiveProgress) -> None:
        """Set what the current step is doing; written with the next heartbeat."""
        self._progress = progress

    def price(self, cost: Callable[[], float | None]) -> None:
        """Have each write tell the dollars so far; `cost` gives None while they are unknown."""
        self._cost = cost

    def announce(self, rendezvous: str) -> None:
        """Write where the other instances find the training program, now or with the next heartbeat that gets through."""
        self._rendezvous = rendezvous
        self.flush()

    def flush(self) -> None:
        """Write now. Never raises for a store that does not answer."""
        with self._lock:
            if self.fenced.is_set():
                return
            try:
                self._observed = self._store.update(self._observed, self._apply)
            except Fenced as error:
                log.error("fenced: %s", error)
                self.fenced.set()
                return
            except TrainingError as error:
                log.warning("state not written; will retry: %s", error)
                self._beat()  # this process lives; that S3 does not answer is another thing
                return
        self._beat()
        if self._observed.record.kill_requested_at is not None:
            self.kill.set()

    def _apply(self, record: RunRecord) -> RunRecord:
        return record.evolve(
            heartbeat_at=iso(utc_now()),
            current_step=self._step,
            steps=self.steps,
            progress=self._progress.to_json(),
            rendezvous=self._rendezvous,
            cost_usd=self._cost(),
        )

    def _loop(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self.flush()
            except Exception:  # without this thread the watcher would take the run for dead
                log.exception("state not written; will retry")
