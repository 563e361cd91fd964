"""How long a run will take, from completed runs like it; found by prefix, as everything of past runs (R27)."""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from chronos_training.config import TrainingConfig
from chronos_training.control.registry.runs import archived_state, run_ids, stored_run_spec
from chronos_training.control.registry.summary import read_summary
from chronos_training.core.aws_types import S3Client
from chronos_training.core.clock import parse_iso
from chronos_training.core.errors import TrainingError
from chronos_training.core.states import COMPLETED, STEPS

Json = dict[str, Any]
# Of the newest runs; further back the program itself was another.
LOOK_AT = 20
MEDIAN_OF = 5
BOOT = "boot"
# Settings that leave a run as long as it is. Every other one must be the same: rather no time than a wrong one.
WITHOUT_EFFECT: Any = {
    "description": True,
    "model": {"base_run"},  # "latest" is another run each time
    "training": {"seed", "learning_rate", "lr_scheduler", "warmup_steps", "weight_decay", "max_grad_norm"},
    "evaluation": {
        "publish_if",
        "confidence",
        "cost_basis_points",
        "report_series",
        "seeds",
    },  # seeds: see `_with_seeds`
    "run": {"max_runtime_hours", "max_cost"},
}


@dataclass(frozen=True)
class DurationEstimate:
    """Medians over `runs` completed runs: seconds of each phase from the launch on, and of the whole."""

    runs: int
    phases: dict[str, float]
    total: float


def estimate_duration(
    s3: S3Client, bucket: str, env: str, config: TrainingConfig, instance_type: str
) -> DurationEstimate | None:
    """Return what earlier runs of the same name, type and size took; None when there is none. TrainingError when S3 refuses."""
    newest = run_ids(s3, bucket, env, limit=LOOK_AT)
    if not newest:
        return None
    with ThreadPoolExecutor(8) as pool:
        states = pool.map(lambda run_id: _like(s3, bucket, env, run_id, config, instance_type), newest)
        like = [state for state in states if state is not None][:MEDIAN_OF]
        whole = [state for state in pool.map(lambda state: _from_start(s3, bucket, state), like) if state is not None]
        seeds = config.evaluation.seeds
        measured = [found for found in pool.map(lambda state: _with_seeds(s3, bucket, state, seeds), whole) if found]
    if not measured:
        return None
    phases = {name: statistics.median(each[0][name] for each in measured) for name in (BOOT, *STEPS)}
    return DurationEstimate(len(measured), phases, statistics.median(each[1] for each in measured))


def _like(s3: S3Client, bucket: str, env: str, run_id: str, config: TrainingConfig, instance_type: str) -> Json | None:
    """Return the archived state of a completed run that did the same work on the same type, else None."""
    try:
        state = archived_state(s3, bucket, env, run_id)
        if state is None or state.get("status") != COMPLETED or state.get("instance_type") != instance_type:
            return None
        then = TrainingConfig.model_validate(state.get("training_config"))
    except (TrainingError, ValidationError):
        return None  # not ours to judge: its times are left out
    return state if _work(then) == _work(config) else None


def _work(config: TrainingConfig) -> Json:
    return config.model_dump(mode="json", exclude=WITHOUT_EFFECT)


def _from_start(s3: S3Client, bucket: str, state: Json) -> Json | None:
    """Return `state` of a run that began at its first step, else None: a resumed run takes less time."""
    try:
        spec = stored_run_spec(s3, bucket, state["env"], state["run_id"])
    except TrainingError:
        return None
    return None if spec is None or spec.resume else state


def _with_seeds(s3: S3Client, bucket: str, state: Json, seeds: int) -> tuple[dict[str, float], float] | None:
    """Return `_phases` as they would be with `seeds` trainings; None when the run does not tell how long one took.

    Only the training itself runs once for each seed: boot, data and the rivals' forecasts are the same.
    """
    found = _phases(state)
    more = seeds - TrainingConfig.model_validate(state["training_config"]).evaluation.seeds
    if found is None or not more:
        return found
    try:
        summary = read_summary(s3, bucket, state["env"], state["run_id"])
    except TrainingError:
        return None
    each = summary.seconds.get("training") if summary else None
    if each is None:
        return None
    phases, total = found
    training = max(phases["training"] + more * each, each)
    return phases | {"training": training}, total + training - phases["training"]


def _phases(state: Json) -> tuple[dict[str, float], float] | None:
    """Return the seconds of each phase and of the whole, None when the state does not tell all of them."""
    try:
        steps = {name: [parse_iso(state["steps"][name][key]) for key in ("started_at", "ended_at")] for name in STEPS}
        begun, ended = parse_iso(state["created_at"]), parse_iso(state["heartbeat_at"])
    except (KeyError, TypeError, ValueError):
        return None
    seconds = {name: max(0.0, (end - start).total_seconds()) for name, (start, end) in steps.items()}
    boot = (steps[STEPS[0]][0] - begun).total_seconds()
    total = (ended - begun).total_seconds()
    # Launched by a machine whose clock was wrong.
    return ({BOOT: boot, **seconds}, total) if boot >= 0 and total >= sum(seconds.values()) else None
