"""How far the process is: progress.json for the pipeline and lines for the log."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from dataclasses import replace
from pathlib import Path

from chronos_training.core.live_progress import LiveProgress

log = logging.getLogger("chronos_training")

FILE_EVERY_SECONDS = 1.0
LINE_EVERY_SECONDS = 3.0


class Progress:
    """Writes `progress.json` by rename, so that a reader never sees half a file, at most once a second."""

    def __init__(self, path: Path | None) -> None:
        """`path` is the file to write; its folder exists. None: nothing is written, as by all ranks but the first."""
        self._path = path
        self._state = LiveProgress(phase="preparing", step=0, total_steps=0)
        self._written = -math.inf
        self._spoken = -math.inf

    @property
    def current(self) -> str:
        """Return the phase."""
        return self._state.phase or ""

    def phase(self, name: str, message: str) -> None:
        """Enter a phase: preparing, training, storing, evaluating or reporting. Written and logged at once."""
        self._state = replace(self._state, phase=name, message=message, eta_seconds=None)
        log.info("%s", message)
        self._write()

    def step(self, step: int, total: int, *, loss: float | None, samples_per_second: float, eta_seconds: float) -> None:
        """Note an optimizer step; written about once a second, logged every few seconds and at the last step."""
        shown = None if loss is None or not math.isfinite(loss) else loss
        self._state = replace(
            self._state,
            step=step,
            total_steps=total,
            loss=shown,
            samples_per_second=round(samples_per_second, 1),
            eta_seconds=round(eta_seconds, 1),
            message=f"step {step}/{total}",
        )
        now = time.monotonic()
        if now - self._spoken >= LINE_EVERY_SECONDS or step == total:
            self._spoken = now
            text = "" if shown is None else f"  loss {shown:.3f}"
            log.info("step %d/%d%s  %.1f samples/s  eta %s", step, total, text, samples_per_second, clock(eta_seconds))
        if now - self._written >= FILE_EVERY_SECONDS or step == total:
            self._write()

    def fitting(
        self,
        model: str,
        done: int,
        total: int,
        *,
        used: float,
        left: float,
        best_score: float | None = None,
        best_model: str | None = None,
        metric: str | None = None,
    ) -> None:
        """Note which of AutoGluon's models is being fitted, after `done` of `total`; seconds used and left. Written at once."""
        best = "" if best_score is None else f", best {metric} {best_score:.4g} by {best_model}"
        what = f"fitting {model}" if model else "preparing the models"
        self._state = replace(
            self._state,
            step=done,
            total_steps=total,
            fitting=model,
            best_score=best_score,
            best_model=best_model,
            eta_seconds=round(left, 1),
            message=f"{what} ({done} of {total} fitted{best}), {clock(used)} used, at most {clock(left)} left",
        )
        self._write()

    def evaluated(self, done: int, total: int) -> None:
        """Note how many series are scored."""
        self._state = replace(self._state, message=f"scored {done:,} of {total:,} series")
        now = time.monotonic()
        if now - self._spoken >= LINE_EVERY_SECONDS:
            self._spoken = now
            log.info("%s", self._state.message)
        if now - self._written >= FILE_EVERY_SECONDS:
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        if self._path is None:
            return
        partial = self._path.with_suffix(".json.partial")
        partial.write_text(json.dumps(self._state.to_json()) + "\n", encoding="utf-8")
        os.replace(partial, self._path)


def clock(seconds: float) -> str:
    """Return `m:ss` or `h:mm:ss`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
