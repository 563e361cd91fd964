"""The run spec: all that a launch decided about its run. `run_spec.json` is written once; its sha256 names it elsewhere."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import layout, typed_json
from .errors import TrainingError
from .manifest import DataFile

Json = dict[str, Any]
SCHEMA_VERSION = 1
NAME = "run_spec.json"


@dataclass(frozen=True)
class SeasonSpec:
    """The season in observations, and why."""

    length: int
    reason: str


@dataclass(frozen=True)
class DatasetSpec:
    """The data: `digest` is the one over all `files` (a count), `bytes` their size."""

    name: str
    manifest_key: str
    digest: str
    files: int
    bytes: int
    items: int
    rows: int
    season: SeasonSpec | None = None


@dataclass(frozen=True)
class BaseModelSpec:
    """The weights to start from; of weights that come with the package, no file is in the bucket."""

    name: str
    family: str
    digest: str
    prefix: str | None = None
    revision: str | None = None
    run_id: str | None = None  # the run whose model it is
    files: tuple[DataFile, ...] = ()


@dataclass(frozen=True)
class ResumeSpec:
    """The checkpoints to resume from: those of run `run_id`, the newest of `step`."""

    run_id: str
    prefix: str
    step: int
    files: tuple[DataFile, ...]


@dataclass(frozen=True)
class RuntimeSpec:
    """The program: `python_env` is what its pointer says of the published environment, `package` of the agent."""

    python_env: Json | None = None
    package: Json | None = None
    python_env_sha256: str | None = None
    package_sha256: str | None = None


@dataclass(frozen=True)
class ImageSpec:
    """The machine image."""

    id: str = ""
    name: str = ""


@dataclass(frozen=True)
class InstanceSpec:
    """The instances: `types` in order of preference, `type` the first. Dollars per hour of all of them, all included.

    A run spec of before there were parts has only the total of its preferred type.
    """

    types: tuple[str, ...] = ()
    type: str | None = None
    count: int = 1
    market: str | None = None
    image: ImageSpec = ImageSpec()
    volume_gb: int = 0
    price_per_hour_usd: float | None = None
    prices_per_hour_usd: dict[str, dict[str, float | None]] = field(default_factory=dict)  # by type
    request_prices_usd: dict[str, float] | None = None
    price_date: str | None = None
    reference_type: str | None = None
    reference_price_per_hour_usd: float | None = None


@dataclass(frozen=True)
class LimitsSpec:
    """The limit from boot, and whether the cap on cost sets it."""

    deadline_seconds: float = 0.0
    max_cost_usd: float | None = None
    capped: bool = False


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One launch. `training` is the resolved configuration as JSON: `TrainingConfig` is made of it where it is needed."""

    schema_version: int = SCHEMA_VERSION
    run_id: str = ""  # empty, as all that only a launch knows, of a training on a person's own machine
    env: str = ""
    created_at: str = ""
    launched_by: str = ""
    git_commit: str = ""
    config_sources: tuple[str, ...] = ()
    probe: bool = False
    device: str
    training: Json
    dataset: DatasetSpec | None = None  # None of a probe
    base_model: BaseModelSpec | None = None  # None: from random weights
    resume: ResumeSpec | None = None  # None: from the first step
    repeats: str | None = None
    runtime: RuntimeSpec = RuntimeSpec()
    instance: InstanceSpec = InstanceSpec()
    limits: LimitsSpec = LimitsSpec()

    @property
    def key(self) -> str:
        """Return its S3 key."""
        return key_of(self.env, self.run_id)

    @property
    def data(self) -> DatasetSpec:
        """Return the dataset, which every launched run has but a probe. TrainingError when there is none."""
        if self.dataset is None:
            raise TrainingError(f"The run spec of {self.run_id} names no dataset.", code="record_invalid")
        return self.dataset

    @property
    def environment(self) -> Json:
        """Return the published environment, which every launched run has but a probe. TrainingError when there is none."""
        if self.runtime.python_env is None:
            raise TrainingError(f"The run spec of {self.run_id} names no environment.", code="record_invalid")
        return self.runtime.python_env

    @property
    def base_digest(self) -> str:
        """Return the digest of the weights to start from; empty: random."""
        return self.base_model.digest if self.base_model else ""

    def body(self) -> bytes:
        """Return what is stored. `from_json` gives the same run spec again, and that the same bytes."""
        content = dataclasses.asdict(self)
        if not self.probe:
            del content["probe"]
        return (json.dumps(content, indent=2) + "\n").encode()

    @property
    def sha256(self) -> str:
        """Return the sha256 (hex) of what is stored."""
        return hashlib.sha256(self.body()).hexdigest()

    @classmethod
    def from_json(cls, body: bytes | str, where: str) -> RunSpec:
        """Return the run spec stored in `body`. TrainingError names `where` and what is wrong with it."""
        try:
            content = json.loads(body)
            if isinstance(content, dict) and content.get("schema_version") != SCHEMA_VERSION:
                raise ValueError(f"schema_version {content.get('schema_version')}, this program reads {SCHEMA_VERSION}")
            return typed_json.read(cls, content)
        except ValueError as error:
            message = f"{where} is not a run spec of this program: {error}."
            raise TrainingError(message, code="record_invalid") from error


def key_of(env: str, run_id: str) -> str:
    """Return the S3 key of a run's run spec. ValueError when `run_id` is not a run id."""
    return layout.run_prefix(env, run_id) + NAME


def read_file(path: Path) -> RunSpec:
    """Return the run spec in a file. TrainingError when there is none, or when it is something else."""
    try:
        body = path.read_bytes()
    except FileNotFoundError:
        raise TrainingError(f"{path}: no such run spec.", code="record_invalid") from None
    return RunSpec.from_json(body, str(path))
