"""Where things lie on the instance, and what the user data told it. Every path is below `${INSTANCE_ROOT:-}/`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronos_training.core import commands, layout


@dataclass(frozen=True)
class Run:
    """The content of `run.json`, written by the user data. Lengths of time in seconds."""

    run_id: str
    env: str
    project: str
    bucket: str
    region: str
    run_spec_key: str
    run_spec_sha256: str
    deadline_seconds: float
    heartbeat_seconds: float
    log_seconds: float
    watch_seconds: float
    instances: int

    @property
    def prefix(self) -> str:
        """Return the S3 prefix of the run's results."""
        return layout.run_prefix(self.env, self.run_id)

    @property
    def logs_prefix(self) -> str:
        """Return the S3 prefix of the run's logs."""
        return layout.logs_prefix(self.env, self.run_id)


@dataclass(frozen=True)
class Paths:
    """The folders of the instance: `base` code, `work` data and results, `logs`, and `state` (gone after a reboot)."""

    base: Path
    work: Path
    logs: Path
    state: Path

    @classmethod
    def here(cls) -> Paths:
        """Return the places of the machine this process runs on."""
        root = Path(os.environ.get("INSTANCE_ROOT") or "/")
        return cls(
            root / "opt/chronos-training",
            root / "srv/chronos-training",
            root / "var/log/chronos-training",
            root / "run/chronos-training",
        )

    def run(self) -> Run:
        """Return what the user data said about the run. From then on, commands that messages name are for its environment."""
        data: dict[str, Any] = json.loads((self.base / "run.json").read_text(encoding="utf-8"))
        run = Run(**{name: data[name] for name in Run.__dataclass_fields__})
        commands.working_for(run.env)
        return run

    @property
    def output(self) -> Path:
        """Return the folder the trainer writes to; all of it is uploaded."""
        return self.work / "output"

    @property
    def sent(self) -> Path:
        """Return the note of what was sent to S3 of `output`."""
        return self.state / "sent.json"

    @property
    def data(self) -> Path:
        """Return the folder of the synced dataset."""
        return self.work / "data"

    @property
    def base_model(self) -> Path:
        """Return the folder of the published model that the training starts from."""
        return self.work / "base_model"

    @property
    def environment(self) -> Path:
        """Return the folder of the unpacked Python environment."""
        return self.work / "environment"
