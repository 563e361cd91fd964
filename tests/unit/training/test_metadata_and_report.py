"""model_metadata.json fits its schema; report.html is whole, self-contained and safe."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from chronos_training.config import Precision, TrainingConfig
from chronos_training.core.run_spec import BaseModelSpec, InstanceSpec
from chronos_training.data.panel import Panel
from chronos_training.evaluation.forecasts import Chunk
from chronos_training.evaluation.scoring import Scoring
from chronos_training.evaluation.store import ForecastFile
from chronos_training.training import charts, cost
from chronos_training.training.card import card
from chronos_training.training.losscurve import LossCurve
from chronos_training.training.metadata import autogluon_section, build_metadata, chronos_section, metadata_schema
from chronos_training.training.report import write_report
from chronos_training.training.spec import TrainingSpec
from tests.unit.small_panel import chunk_with

NOW = datetime(2026, 5, 2, 9, 30, tzinfo=timezone.utc)
PRECISION = Precision("bf16", "the A10G has it")
CURVE = LossCurve([10, 20, 30], [4.0, 3.0, 2.5], [1e-3, 9e-4, 1e-4], 12.0, 80.0, 0, 30, 30, PRECISION)
INSTANCE = InstanceSpec(
    type="g4dn.xlarge", market="on-demand", price_per_hour_usd=0.6, price_date="2026-01-01",
    reference_type="g4dn.2xlarge", reference_price_per_hour_usd=0.8,
)  # fmt: skip


def about(spec: TrainingSpec, panel: Panel, scores: dict[str, Any]) -> dict[str, Any]:
    return build_metadata(
        spec,
        panel,
        scores,
        model=chronos_section(spec.config, 148_156, CURVE),
        times={"created_at": NOW, "training_started_at": NOW - timedelta(minutes=2), "training_ended_at": NOW},
        seconds={"preparing": 1.0, "training": 12.0, "evaluating": 2.0},
        cost=cost.estimate(spec.run.instance, NOW - timedelta(minutes=30), NOW),
    )


@pytest.fixture
def scores(chunk: Chunk, panel: Panel, config: TrainingConfig) -> dict[str, Any]:
    scoring = Scoring(panel, config)
    scoring.add(chunk)
    return scoring.result()


@pytest.fixture
def forecasts(chunk: Chunk, panel: Panel, config: TrainingConfig, tmp_path: Path) -> Path:
    return stored(chunk, panel, config, tmp_path / "forecasts.parquet")


def stored(chunk: Chunk, panel: Panel, config: TrainingConfig, path: Path) -> Path:
    with ForecastFile(path, panel, list(config.forecast.quantile_levels)) as file:
        file.add(chunk)
    return path


@pytest.mark.parametrize("instance", [INSTANCE, InstanceSpec()], ids=["priced", "unknown"])
def test_metadata_fits_its_schema(
    scores: dict[str, Any], panel: Panel, config: TrainingConfig, instance: InstanceSpec
) -> None:
    metadata = about(TrainingSpec.of(config, "cpu", instance=instance), panel, scores)
    jsonschema.Draft202012Validator(metadata_schema()).validate(metadata)
    assert metadata["metrics"]["sharpe_ratio"] is None
    assert "not a price or a return" in metadata["metrics"]["sharpe_ratio_reason"]
    assert metadata["versions"]["python"].count(".") == 2
    assert metadata["model"]["precision"] == {"numbers": "bf16", "reason": "the A10G has it"}
    assert metadata["dataset"]["digest"] == "a" * 64


def test_cost_is_price_times_billed_hours() -> None:
    half_hour = cost.estimate(INSTANCE, NOW - timedelta(minutes=30), NOW)
    assert half_hour["cost_so_far_usd"] == pytest.approx(0.3)
    assert half_hour["reference_cost_same_hours_usd"] == pytest.approx(0.4)
    assert cost.estimate(INSTANCE, NOW, NOW)["cost_so_far_usd"] == pytest.approx(0.01)  # a minute is billed at least
    assert cost.estimate(InstanceSpec(), NOW, NOW)["cost_so_far_usd"] is None


def test_start_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cost.STARTED_AT, "2026-05-02T09:00:00Z")
    assert cost.started_at(NOW) == NOW - timedelta(minutes=30)
    for text in ("", "yesterday", "2026-05-02T09:00:00"):
        monkeypatch.setenv(cost.STARTED_AT, text)
        assert cost.started_at(NOW) == NOW


class Page(HTMLParser):
    """Collects tags and checks that every one is closed in order."""

    VOID = frozenset({"meta", "line", "circle", "rect", "path", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("instance", [INSTANCE, InstanceSpec()], ids=["priced", "unknown"])
def test_report_is_whole_and_self_contained(
    tmp_path: Path,
    scores: dict[str, Any],
    forecasts: Path,
    panel: Panel,
    config: TrainingConfig,
    instance: InstanceSpec,
) -> None:
    metadata = about(
        TrainingSpec.of(config, "cpu", run_id="20260502-093000", env="local", instance=instance), panel, scores
    )
    write_report(tmp_path / "report.html", metadata, scores, forecasts, panel, CURVE)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert sum(tag == "svg" for tag, _ in page.tags) == 3 + 4  # three series; loss, calibration, horizon, learning rate
    for tag, attributes in page.tags:
        assert tag not in {"link", "img", "iframe"}
        assert not {"src", "href", "srcset"} & set(attributes)
    assert "http" not in text and "@import" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}, "of the page itself only"
    assert not re.search(r"\bnan\b", text, re.IGNORECASE) and "None" not in text
    assert scores["verdict"]["sentence"] in text
    assert len(re.findall(r"<tr><td>[a-e]</td>", text)) == 5


def words(page: str, name: str) -> str:
    """Return what a row of the first box says."""
    found = re.search(rf"<dt>{name}</dt><dd[^>]*>(.*?)</dd>", page)
    return found.group(1) if found else ""


def test_the_first_page_says_what_recalibration_and_combination_change(
    scores: dict[str, Any], panel: Panel, config: TrainingConfig, forecasts: Path, tmp_path: Path
) -> None:
    verdict = {"against": "model", "result": "better", "sentence": "Better than it."}
    scores["recalibration"] = {
        "applied": True, "reason": "Recalibrated on 112 observations.", "coverage_before": [0.3, 0.5, 0.7],
        "wql_before": 0.1234, "interval_coverage_before": 0.412,
    }  # fmt: skip
    scores["combination"] = {
        "weights": {"model": 1.0},
        "reason": "Combined: 100 % of this model.",
        "verdicts": {"model": verdict},
    }
    metadata = about(TrainingSpec.of(config, "cpu"), panel, scores)
    jsonschema.Draft202012Validator(metadata_schema()).validate(metadata)
    write_report(tmp_path / "r.html", metadata, scores, forecasts, panel, CURVE)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    after = scores["interval_coverage"]["coverage"]
    said = words(page, "Recalibration")
    assert "41.2 %" in said and "0.1234" in said and f"{after * 100:.1f} %" in said
    assert f"{scores['aggregate']['model']['wql']:.4f}" in said and "on 112 observations" in said
    assert "before recalibration</li>" in page and 'class="before"' in page
    assert "100 % of this model" in words(page, "Combination") and "Better than it." in words(page, "Combination")


def test_the_first_page_says_why_there_is_neither(
    scores: dict[str, Any], panel: Panel, config: TrainingConfig, forecasts: Path, tmp_path: Path
) -> None:
    scores["recalibration"] = {"applied": False, "reason": "Not recalibrated: too little."}
    write_report(
        tmp_path / "r.html", about(TrainingSpec.of(config, "cpu"), panel, scores), scores, forecasts, panel, CURVE
    )
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert words(page, "Recalibration") == "Not recalibrated: too little."
    assert "before recalibration</li>" not in page and not words(page, "Combination")


@pytest.mark.parametrize(("resumed", "said"), [(0, False), (20, False), (30, True)])
def test_only_a_resume_of_a_finished_training_has_no_step_left(
    scores: dict[str, Any],
    panel: Panel,
    config: TrainingConfig,
    forecasts: Path,
    tmp_path: Path,
    resumed: int,
    said: bool,
) -> None:
    curve = dataclasses.replace(CURVE, resumed_from=resumed)
    write_report(
        tmp_path / "r.html", about(TrainingSpec.of(config, "cpu"), panel, scores), scores, forecasts, panel, curve
    )
    assert ("had no step left to do" in (tmp_path / "r.html").read_text(encoding="utf-8")) == said


def test_names_from_the_data_are_escaped(tmp_path: Path, panel: Panel, config: TrainingConfig) -> None:
    hostile = "<script>alert(1)</script>"
    object.__setattr__(panel, "item_ids", (hostile, *panel.item_ids[1:]))
    chunk, scoring = chunk_with(panel, config, range(5)), Scoring(panel, config)
    scoring.add(chunk)
    scores, forecasts = scoring.result(), stored(chunk, panel, config, tmp_path / "f.parquet")
    metadata = about(TrainingSpec.of(config, "cpu"), panel, scores)
    metadata["configuration"]["evaluation"]["report_series"] = 5
    write_report(tmp_path / "report.html", metadata, scores, forecasts, panel, CURVE)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert hostile not in text
    assert "made &lt;up&gt;" in text and "a &amp; b" in text


def test_report_survives_missing_values_and_no_steps(
    tmp_path: Path, chunk: Chunk, panel: Panel, config: TrainingConfig
) -> None:
    chunk.actual[0] = np.nan
    chunk.actual[1] = 0.0
    panel.row_values(2)[-14:] = np.nan
    scoring = Scoring(panel, config)
    scoring.add(chunk)
    scores = scoring.result()
    metadata = about(TrainingSpec.of(config, "cpu"), panel, scores)
    forecasts = stored(chunk, panel, config, tmp_path / "f.parquet")
    nothing = LossCurve([], [], [], 0.0, 0.0, 30, 30, 30, PRECISION)
    write_report(tmp_path / "report.html", metadata, scores, forecasts, panel, nothing)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no step left to do" in text
    assert "NaN" not in text and ">nan<" not in text


def test_the_card_says_what_the_model_is(scores: dict[str, Any], panel: Panel, config: TrainingConfig) -> None:
    text = card(about(TrainingSpec.of(config, "cpu"), panel, scores))
    assert text.startswith("---\nlibrary_name: chronos-forecasting\n") and "# small" in text
    assert "Chronos2Pipeline.from_pretrained(" in text and scores["verdict"]["sentence"] in text
    assert "| seasonal naive |" in text and "None" not in text


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 1200, [0, 250, 500, 750, 1000]),
        (3, 3, [3]),
        (-1, 1, [-1.0, -0.5, 0, 0.5, 1.0]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert charts.ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "0.05"), (1200, "1,200"), (25_000, "25k"), (2_500_000, "2.5M"), (3e9, "3G"), (-0.5, "-0.5")],
)
def test_tick_texts(value: float, text: str) -> None:
    assert charts.short(value) == text


def autogluon_about(panel: Panel, scores: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a run by AutoGluon, with an odd name among its models."""
    config = TrainingConfig.model_validate(
        {
            "name": "small",
            "forecast": {"prediction_length": 7, "quantile_levels": [0.1, 0.5, 0.9]},
            "model": {"family": "autogluon", "initialization": "pretrained", "base": "chronos-2"},
            "autogluon": {"models": {"ETS": None, "DirectTabular": {"max_num_items": 3}}},
            "evaluation": {"windows": 3, "report_series": 3},
        }
    )
    row = {"fit_seconds": 1.5, "predict_seconds": 0.25, "weight": None, "chosen": False}
    rows = [
        {**row, "model": "WeightedEnsemble", "score": 0.05, "weight": 1.0, "chosen": True},
        {**row, "model": "Chronos[<b>]", "score": None, "fit_seconds": None},
    ]
    found = {
        "presets": "medium_quality", "notes": ["Toto2 left out."], "leaderboard": rows, "metric": "WQL",
        "fit_seconds": 12.0, "time_limit_seconds": 60.0,
        "chronos": {"path": "models/small-chronos", "family": "chronos2", "model": "Chronos2FineTuned"},
    }  # fmt: skip
    base = BaseModelSpec("chronos-2", "chronos2", "b" * 64)
    return build_metadata(
        TrainingSpec.of(config, "cpu", base_model=base),
        panel,
        scores,
        model=autogluon_section(found),
        times={"created_at": NOW, "training_started_at": NOW - timedelta(minutes=2), "training_ended_at": NOW},
        seconds={"preparing": 1.0, "training": 12.0, "evaluating": 2.0},
        cost=cost.estimate(InstanceSpec(), NOW - timedelta(minutes=30), NOW),
    )


def test_autogluons_metadata_fits_the_same_schema(scores: dict[str, Any], panel: Panel) -> None:
    metadata = autogluon_about(panel, scores)
    jsonschema.Draft202012Validator(metadata_schema()).validate(metadata)
    assert metadata["model"]["parameters"] is None and metadata["model"]["quantile_levels"] == [0.1, 0.5, 0.9]


def test_autogluons_report_has_its_leaderboard_in_the_place_of_the_loss(
    scores: dict[str, Any], panel: Panel, forecasts: Path, tmp_path: Path
) -> None:
    metadata = autogluon_about(panel, scores)
    write_report(tmp_path / "report.html", metadata, scores, forecasts, panel, None)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in ("<h2>Models</h2>", "WeightedEnsemble, chosen", "Chronos[&lt;b&gt;]", "Toto2 left out.", "max_num_items",
                 "with Chronos from chronos-2", "models/small-chronos/", "TimeSeriesPredictor.load(folder)"):  # fmt: skip
        assert text in page
    # Nor a setting that AutoGluon makes no use of.
    for text in (
        "<h2>Loss</h2>",
        "<h2>Learning rate</h2>",
        "samples/s",
        "None",
        "[<b>]",
        "training.steps",
        "model.d_model",
    ):
        assert text not in page
    text = card(metadata)
    assert "library_name: autogluon" in text and "WeightedEnsemble, the best of 2 AutoGluon models" in text
    assert "with Chronos from chronos-2 (bbbbbbbbbbbb)" in text and "None" not in text


def test_a_baseline_far_from_the_forecast_ends_at_the_charts_edge() -> None:
    flat, far = np.full(3, 10.0), np.array([20.0, 2000.0, 1e6])
    drawn = str(
        charts.forecast_chart(
            flat, flat, np.stack([flat - 1, flat, flat + 1]), far, list("abcdef"), count_like=False, title="one"
        )
    )
    clipped = re.search(r'<clipPath id="(plot-[0-9a-f]+)">.*?<g clip-path="url\(#(.*?)\)"><path class="naive"', drawn)
    assert clipped and clipped[1] == clipped[2]
