"""The state record: the JSON body of `{env}/system-state.json` (R7)."""

from __future__ import annotations

import dataclasses
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from .errors import TrainingError
from .states import check_step, check_transition

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RunRecord:
    """One run as everybody sees it. Times are ISO 8601 UTC strings; changed only through `evolve`."""

    env: str
    run_id: str
    owner: str  # user@host (pid) that launched it
    status: str
    created_at: str
    heartbeat_at: str
    deadline_at: str
    client_token: str
    attempt: int = 1
    instance_id: str | None = None  # of several, the head node: it alone claims the run and writes the state
    members: list[str] = field(default_factory=list)  # ids of the other instances
    rendezvous: str | None = None  # host:port at which the head node's training program waits for the workers'
    instance_type: str | None = None
    claimed_at: str | None = None
    current_step: str | None = None
    steps: dict[str, dict[str, str]] = field(default_factory=dict)  # step -> started_at, ended_at
    progress: dict[str, Any] = field(default_factory=dict)
    kill_requested_at: str | None = None
    kill_requested_by: str | None = None
    error_message: str | None = None
    error_code: str | None = None  # of a run that failed, see error_codes.py
    cost_usd: float | None = None  # of all instances so far, an estimate; None where no price is known
    training_config: dict[str, Any] = field(default_factory=dict)
    sequence: int = 0
    write_nonce: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def instances(self) -> tuple[str, ...]:
        """Return the ids of all instances that the state names, the head node first."""
        return () if self.instance_id is None else (self.instance_id, *self.members)

    @property
    def instances_wanted(self) -> int:
        """Return how many instances the run was launched for."""
        return max(len(self.instances), int(self.training_config.get("run", {}).get("instances", 1)))

    def evolve(self, **changes: Any) -> RunRecord:
        """Return the next record: `changes` applied, sequence raised, a fresh nonce. ValueError if not allowed."""
        check_transition(self.status, changes.get("status", self.status))
        if changes.get("current_step") is not None:
            check_step(self.current_step, changes["current_step"])
        return dataclasses.replace(self, **changes, sequence=self.sequence + 1, write_nonce=uuid.uuid4().hex)

    def to_json(self) -> bytes:
        """Return the stored form: indented JSON, for people."""
        return (json.dumps(dataclasses.asdict(self), indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, body: bytes, url: str) -> RunRecord:
        """Return the record stored in `body`. TrainingError naming `url` when it is not one (unknown keys are kept out)."""
        try:
            data = json.loads(body)
            if data["schema_version"] != SCHEMA_VERSION:
                raise ValueError(f"schema_version {data['schema_version']}, this program supports {SCHEMA_VERSION}")
            known = {f.name for f in dataclasses.fields(cls)}
            return cls(**{key: value for key, value in data.items() if key in known})
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{url} is not a state file of this program: {error}.",
                hint="Nothing was changed. Inspect it, and move it away if it does not belong there.",
                code="record_invalid",
            ) from error
