"""Sends checkpoints to S3 while the training continues, so that a machine that vanishes loses minutes and not the
run.
"""

from __future__ import annotations

import logging
import threading
import time

from .results_sync import Results, Vanished

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
# A checkpoint every second is no reason to send one every second; and sending takes at most a fifth of the time.
APART_SECONDS, SHARE = 30.0, 5.0
PAUSE_MAX_SECONDS = 300.0


class CheckpointSync:
    """A thread beside the training. Whatever happens to it, the training continues; the end of the run sends the
    rest.
    """

    def __init__(self, results: Results, look_seconds: float = LOOK_SECONDS) -> None:
        """Looks for a new whole checkpoint every `look_seconds`."""
        self._results, self._look_seconds = results, look_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="checkpoint-sync", daemon=True)
        self.seconds: float | None = None  # what the last one took

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, patience: float = 30.0) -> None:
        """End; waits up to `patience` seconds for a checkpoint that is being sent."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _loop(self) -> None:
        pause = self._look_seconds
        while not self._stopped.wait(pause):
            began = time.monotonic()
            try:
                name = self._results.send_newest_checkpoint()
            except Vanished:
                pause = self._look_seconds
            except Exception as error:
                log.warning("checkpoint not stored; will retry: %s", error)
                pause = min(PAUSE_MAX_SECONDS, max(APART_SECONDS, pause * 2))
            else:
                pause = self._look_seconds
                if name is not None:
                    self.seconds = time.monotonic() - began
                    log.info("%s stored in %.1f s", name, self.seconds)
                    pause = max(APART_SECONDS, SHARE * self.seconds)
