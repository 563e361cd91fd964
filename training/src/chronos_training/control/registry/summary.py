"""What a past run's model_metadata.json tells: its one reader here, whatever of it a list, a comparison or a launch wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chronos_training.core import layout, typed_json
from chronos_training.core.objects import NotOurs, read_json

Json = dict[str, Any]
NAME = "model_metadata.json"


@dataclass(frozen=True)
class RunSummary:
    """The parts that are read again, empty where an older run has none; `seconds` by phase."""

    name: str = ""  # of the model
    model: Json = field(default_factory=dict)
    metrics: Json = field(default_factory=dict)
    validation: Json = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def recommended(self) -> bool:
        """Return whether the comparison allows the model (evaluation.publish_if)."""
        return bool(self._about("publish").get("met"))

    def metric(self, key: str) -> float | None:
        """Return a score of the model, None when the run has none."""
        found: float | None = self.metrics.get(key)
        return found

    def result(self, key: str) -> str | None:
        """Return the result of a part of the validation in a word or two: verdict or interval_coverage."""
        return self._about(key).get("result")

    def sentence(self, key: str) -> str | None:
        """Return the sentence of a part of the validation: verdict, evidence, interval_coverage or publish."""
        return self._about(key).get("sentence")

    def _about(self, key: str) -> Json:
        found: Json = self.validation.get(key, {})
        return found


def read_summary(s3: Any, bucket: str, env: str, run_id: str) -> RunSummary | None:
    """Return the summary of a run, None of one that did not get that far. NotOurs when it is something else."""
    key = layout.run_prefix(env, run_id) + NAME
    content = read_json(s3, bucket, key)
    try:
        return None if content is None else typed_json.read(RunSummary, content)
    except ValueError as error:
        raise NotOurs(f"s3://{bucket}/{key} is not in the form that this program writes: {error}.") from error
