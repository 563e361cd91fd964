"""How far AutoGluon is, from the lines that it logs; and the moments at which a fit can be left."""

from __future__ import annotations

import ast
import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from chronos_training.training.progress import Progress
from chronos_training.training.stopping import StopRequest

LOGGER = logging.getLogger("autogluon")
TICK_SECONDS = 5.0
_PLANNED = re.compile(r"Models that will be trained: (\[.*\])", re.DOTALL)
_BEGUN = re.compile(r"(?:Training timeseries model|Training ensemble model) (\S+)\. ")
_SCORE = re.compile(r"\s*(-?[\d.]+)\s+= Validation score \(-?(\w+)\)")


class Watch(logging.Handler):
    """Reads AutoGluon's log while it fits. What it does not recognize changes nothing."""

    def __init__(self, limit: float, progress: Progress, stop: StopRequest, between: Callable[[], None]) -> None:
        """`limit` is the time for the fit in seconds; `between` is called before each model and may store what there is."""
        super().__init__(logging.INFO)
        self._limit, self._progress, self._stop, self._between = limit, progress, stop, between
        self._begun = time.monotonic()
        self._total, self._started, self._model = 0, 0, ""
        self._best: tuple[float, str, str] | None = None
        self._end, self._alone = threading.Event(), threading.Lock()
        self._ticker = threading.Thread(target=self._tick, name="autogluon-progress", daemon=True)

    def __enter__(self) -> Watch:
        LOGGER.addHandler(self)
        self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        LOGGER.removeHandler(self)
        self._end.set()
        self._ticker.join()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one line. Raises what ends the fit when the end was asked for and an interruption was swallowed."""
        self._stop.interrupt()
        self._read(record.getMessage())

    def _read(self, line: str) -> None:
        if found := _PLANNED.match(line):
            self._total = len(ast.literal_eval(found[1]))
        elif found := _BEGUN.match(line):
            self._between()
            self._model, self._started = found[1], self._started + 1
            self._total = max(self._total, self._started)
            self._show()
        elif (found := _SCORE.match(line)) and self._model:
            # AutoGluon turns the sign, so that higher is better.
            error = -float(found[1])
            if self._best is None or error < self._best[0]:
                self._best = (error, self._model, found[2])
            self._show()

    def _tick(self) -> None:
        while not self._end.wait(TICK_SECONDS):
            self._show()

    def _show(self) -> None:
        with self._alone:  # the clock's thread and the fit's write the same file
            self._tell()

    def _tell(self) -> None:
        used = time.monotonic() - self._begun
        score: dict[str, Any] = {}
        if self._best:
            score = {"best_score": self._best[0], "best_model": self._best[1], "metric": self._best[2]}
        self._progress.fitting(
            self._model, max(self._started - 1, 0), self._total, used=used, left=max(self._limit - used, 0.0), **score
        )
