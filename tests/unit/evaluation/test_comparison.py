"""Ratios with their intervals, the verdict in words, what follows from it, and the return of a strategy."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from chronos_training.config import TrainingConfig
from chronos_training.core.errors import TrainingError
from chronos_training.data.panel import Panel
from chronos_training.evaluation.coverage import judged
from chronos_training.evaluation.evidence import Dates, Evidence
from chronos_training.evaluation.forecasts import MODEL, SEASONAL_NAIVE, Chunk
from chronos_training.evaluation.metrics import Scores
from chronos_training.evaluation.relative import Losses, Ratio, ratio
from chronos_training.evaluation.resampling import Resampling
from chronos_training.evaluation.scoring import Scoring
from chronos_training.evaluation.sharpe import Strategy
from chronos_training.evaluation.verdict import decision, over_seeds, verdict
from tests.unit.small_panel import chunk_with, panel_of

ENOUGH = Evidence(10, 4, 112, "2020-01-01", "2020-04-21")
HOLDS: dict[str, Any] = {"result": "holds", "coverage": 0.8, "nominal": 0.8}


def how(dates: int = 4, block: int = 1, samples: int = 300, seed: int = 0) -> Resampling:
    return Resampling(dates, block, 0.95, samples, seed)


def losses(own: Any, other: Any = 1.0, items: Any = None) -> Losses:
    """Losses (rows, dates); a row (rows,) is spread evenly over four dates."""
    own = np.asarray(own, dtype=float)
    own = np.repeat(own[:, None], 4, axis=1) if own.ndim == 1 else own
    other = np.broadcast_to(np.asarray(other, dtype=float).reshape(-1, 1), own.shape) * 1.0
    return Losses(own, other, np.ones(own.shape), np.arange(len(own)) if items is None else np.asarray(items))


def certain(found: Losses, **more: int) -> Ratio:
    result = ratio(found, how(found.own.shape[1], **more))
    assert result is not None
    return result


def test_a_ratio_is_the_geometric_mean_and_seeded() -> None:
    found = certain(losses([1.0, 4.0], [2.0, 2.0]))
    assert found == certain(losses([1.0, 4.0], [2.0, 2.0]))
    assert found.value == pytest.approx(1.0) and (found.rows, found.won, found.interval) == (2, 1, None)
    assert found.pooled == pytest.approx(5 / 4)
    unseen = Losses(np.zeros((1, 4)), np.ones((1, 4)), np.zeros((1, 4)), np.arange(1))
    assert ratio(unseen, how()) is None


def test_an_exact_rival_is_lost_or_tied_and_never_left_out() -> None:
    found = certain(losses([0.5, 0.0, 0.0], [0.0, 0.0, 0.5]))
    assert (found.rows, found.won, found.tied, found.lost) == (3, 1, 1, 1)
    assert found.value == pytest.approx(1.0)  # 100, 1 and 1/100: clipped as fev does


def test_ratios_are_clipped() -> None:
    assert certain(losses([9000.0, 1.0])).value == pytest.approx(10.0)
    assert certain(losses([1e-9, 1.0])).value == pytest.approx(0.1)


def test_one_series_that_hardly_moves_does_not_decide() -> None:
    ratios = [0.6, 0.62, 0.65, 0.58, 0.63, 0.61, 0.66, 0.59]
    sizes = np.array([*np.ones(8), 1e-9])
    found = certain(losses(np.array([*ratios, 9000.0]) * sizes, sizes))
    assert found.odd == (8,) and found.interval is not None and found.interval[1] > 1.0
    said = verdict("naive", found, 0.95, ENOUGH, ["tariff"])
    assert said["result"] == "better" and "without tariff" in said["sentence"] and "8 of 9 series" in said["sentence"]
    # Nor does one on which the model happens to be exact.
    found = certain(losses(np.array([*(1.02 + 0.1 * (np.array(ratios) - 0.6)), 1e-6]) * sizes, sizes))
    assert verdict("naive", found, 0.95, ENOUGH, ["tariff"])["result"] != "better"


def test_where_both_means_disagree_the_weaker_one_holds_and_both_are_said() -> None:
    """Fifteen small series win by a third, and the large one, nearly all of what is sold, loses."""
    random = np.random.default_rng(0)
    size = np.array([*np.ones(15), 1000.0])
    own = size[:, None] * np.array([*[0.65] * 15, 1.3])[:, None] * np.exp(random.normal(0, 0.02, (16, 4)))
    found = certain(losses(own, size))
    assert found.value < 0.75 and found.pooled is not None and found.pooled > 1.25
    said = verdict("naive", found, 0.95, ENOUGH)
    assert said["result"] in {"not distinguishable", "worse"}
    assert (
        "−32.0 %" in said["sentence"] and "+28.8 %" in said["sentence"] and "summed over all series" in said["sentence"]
    )


def test_more_series_and_dates_make_the_interval_narrower() -> None:
    widths = {}
    for items, dates in ((10, 4), (1000, 4), (1000, 40)):
        random = np.random.default_rng(0)
        rows = np.exp(
            random.normal(0, 0.3, (items, 1)) + random.normal(0, 0.1, dates) + random.normal(0, 0.2, (items, dates))
        )
        found = certain(losses(rows))
        assert found.interval is not None and found.interval[0] <= found.value <= found.interval[1]
        widths[items, dates] = found.interval[1] - found.interval[0]
    assert widths[10, 4] > widths[1000, 4] > 2 * widths[1000, 40]


@pytest.mark.parametrize(
    ("low", "value", "high", "result", "words"),
    [
        (0.6, 0.7, 0.8, "better", "Better than AutoETS: WQL −30.0 %"),
        (0.9, 1.0, 1.1, "not distinguishable", "Not distinguishable from AutoETS: WQL +0.0 %"),
        (1.1, 1.2, 1.3, "worse", "Worse than AutoETS: WQL +20.0 %"),
    ],
)
def test_the_verdict_in_words(low: float, value: float, high: float, result: str, words: str) -> None:
    found = verdict("auto_ets", Ratio(value, (low, high), 10, 7), 0.95, ENOUGH)
    assert found["result"] == result and found["sentence"].startswith(words)
    assert "lower on 7 of 10 series" in found["sentence"] and "95% interval" in found["sentence"]


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (Evidence(5, 4, 112, "", ""), "5 series (at least 6 are needed)"),
        (Evidence(9, 1, 28, "", ""), "1 window (at least 2 are needed) is too few to tell"),
        (Evidence(9, 4, 4, "", ""), "4 distinct dates (at least 7 are needed)"),
        (Evidence(9, 4, 31, "", "", apart=1), "4 overlapping windows (at least 2 without overlap are needed)"),
    ],
)
def test_too_little_evidence_tells_nothing_and_recommends_nothing(evidence: Evidence, words: str) -> None:
    found = verdict("seasonal_naive", Ratio(0.5, (0.4, 0.6), evidence.series, evidence.series), 0.95, evidence)
    assert found["result"] == "cannot tell" and words in found["sentence"] and "% interval" not in found["sentence"]
    assert found["sentence"].startswith("Cannot tell whether it is better than seasonal naive")
    for condition in ("better_than_seasonal_naive", "not_worse_than_seasonal_naive", "better_than_all"):
        refused = decision(condition, {"seasonal_naive": found}, HOLDS)
        assert not refused["met"] and refused["sentence"].startswith("Not recommended: ")
    assert decision("always", {"seasonal_naive": found}, HOLDS)["met"]
    allowed = decision("not_worse_than_seasonal_naive", {"seasonal_naive": found}, HOLDS, without_evidence=True)
    assert allowed["met"]


@pytest.mark.parametrize("count", [1, 5, 40])
def test_who_loses_on_every_series_is_worse_whatever_the_number(count: int) -> None:
    """By five series (the case with five.csv) nothing can be told but this."""
    evidence = Evidence(count, 4, 28, "", "")
    found = verdict("seasonal_naive", Ratio(7.99, None, count, 0), 0.95, evidence)
    assert found["result"] == "worse" and found["sentence"].startswith("Worse than seasonal naive: WQL +699.0 %")
    assert ("too few to tell by how much" in found["sentence"]) == (count < 6)
    assert not decision("not_worse_than_seasonal_naive", {"seasonal_naive": found}, HOLDS, without_evidence=True)["met"]


def test_nothing_to_compare_is_undecided() -> None:
    assert verdict("naive", None, 0.95, ENOUGH)["result"] == "undecided"


def test_the_weakest_seed_counts() -> None:
    """Three seeds of one panel: the first alone would be better, another one is not."""
    every = [
        verdict("seasonal_naive", Ratio(value, (value - 0.1, value + 0.1), 20, 15, pooled=value), 0.95, ENOUGH)
        for value in (0.85, 0.95, 0.8)
    ]
    found = over_seeds(every[0], every[1:])
    assert found["result"] == "not distinguishable" and found["relative_wql"] == 0.85
    assert found["interval"] == pytest.approx([0.7, 1.05]) and len(found["seeds"]) == 3
    assert found["sentence"].startswith("Not distinguishable from seasonal naive")
    assert "Over 3 seeds: −20.0 % to −5.0 %" in found["sentence"]
    assert over_seeds(every[0], []) == every[0]
    bad = verdict("seasonal_naive", Ratio(1.02, (0.9, 1.1), 20, 9, pooled=1.0), 0.95, ENOUGH)
    refused = decision("not_worse_than_seasonal_naive", {"seasonal_naive": over_seeds(every[0], [bad])}, HOLDS)
    assert not refused["met"] and "+2.0 %" in refused["sentence"]


def of(**results: str) -> dict[str, Any]:
    return {name: {"result": result} for name, result in results.items()}


@pytest.mark.parametrize(
    ("condition", "verdicts", "met", "says"),
    [
        ("always", of(seasonal_naive="worse"), True, "regardless"),
        ("better_than_seasonal_naive", of(seasonal_naive="better"), True, "better than seasonal naive"),
        ("better_than_seasonal_naive", of(seasonal_naive="not distinguishable"), False, "not distinguishable from"),
        ("not_worse_than_seasonal_naive", of(seasonal_naive="not distinguishable"), True, "not distinguishable from"),
        ("not_worse_than_seasonal_naive", of(seasonal_naive="worse"), False, "worse than seasonal naive"),
        ("not_worse_than_seasonal_naive", of(seasonal_naive="undecided"), False, "not comparable"),
        ("better_than_zero_shot", of(seasonal_naive="better"), False, "no comparison with the base model"),
        ("better_than_zero_shot", of(zero_shot="better"), True, "better than the base model"),
        ("better_than_all", of(seasonal_naive="better", auto_ets="worse"), False, "not better than AutoETS"),
        ("better_than_all", of(seasonal_naive="better", auto_ets="better"), True, "better than all"),
    ],
)
def test_what_is_recommended(condition: str, verdicts: dict[str, Any], met: bool, says: str) -> None:
    found = decision(condition, verdicts, HOLDS)
    assert found["met"] is met and says in found["sentence"]
    assert found["sentence"].startswith("Recommended: " if met else "Not recommended: ")


@pytest.mark.parametrize(
    ("value", "pooled", "met"), [(0.97, 0.98, True), (1.0, 1.0, True), (1.03, 0.99, False), (0.99, 1.2, False)]
)
def test_what_is_not_distinguishable_is_not_recommended_where_its_loss_is_the_higher_one(
    value: float, pooled: float, met: bool
) -> None:
    one = {"result": "not distinguishable", "relative_wql": value, "relative_wql_pooled": pooled}
    found = decision("not_worse_than_seasonal_naive", {"seasonal_naive": one}, HOLDS)
    assert found["met"] is met and ("its loss is higher" in found["sentence"]) is not met


def test_intervals_that_are_too_narrow_are_not_recommended() -> None:
    """A model that is better, whose 80 % interval covers 31 % of the observations."""
    random = np.random.default_rng(0)
    seen = np.full((20, 4), 28.0)
    narrow = judged(random.binomial(28, 0.31, seen.shape), seen, [0.1, 0.5, 0.9], how(), 0.1, None)
    assert narrow["result"] == "too narrow" and "covers 3" in narrow["sentence"] and narrow["interval"][1] < 0.5
    found = decision("not_worse_than_seasonal_naive", of(seasonal_naive="better"), narrow)
    assert not found["met"] and "covers only 3" in found["sentence"]
    assert decision("always", of(seasonal_naive="better"), narrow)["met"]
    good = judged(random.binomial(28, 0.78, seen.shape), seen, [0.1, 0.5, 0.9], how(), 0.1, None)
    wide = judged(np.full((20, 4), 27.0), seen, [0.1, 0.5, 0.9], how(), 0.1, None)
    assert (good["result"], wide["result"]) == ("holds", "too wide")
    assert decision("not_worse_than_seasonal_naive", of(seasonal_naive="better"), wide)["met"]
    few = judged(seen * 0.3, seen, [0.1, 0.5, 0.9], how(), 0.1, "5 series are too few to tell")
    assert few["result"] == "cannot tell" and "too few to tell" in few["sentence"]
    assert judged(seen, seen, [0.6, 0.9], how(), 0.1, None)["coverage"] is None
    assert judged(seen * 0, seen * 0, [0.1, 0.9], how(), 0.1, None)["result"] == "cannot tell"


def test_the_sharpe_ratio_by_hand() -> None:
    # One price, nine windows of one day; the forecast is right about the direction, but for the last.
    last = np.array([[100.0, 110, 99, 108, 97, 106, 95, 104, 93]])
    after = np.array([[110.0, 99, 108, 97, 106, 95, 104, 93, 102]])[:, :, None]
    median = after.copy()
    median[0, -1] = 80.0
    strategy = Strategy("price", "D", 1, 0.0)
    strategy.add(last, after, median, 1)
    found = strategy.result()
    real = after[0, :, 0] / last[0] - 1
    gained = np.abs(real) * np.array([1] * 8 + [-1])
    assert found["n"] == 9 and found["reason"] is None
    assert found["sharpe_ratio"] == pytest.approx(np.sqrt(365) * gained.mean() / gained.std(ddof=1))
    assert found["buy_and_hold"] == pytest.approx(np.sqrt(365) * real.mean() / real.std(ddof=1))
    costly = Strategy("price", "D", 1, 100.0)
    costly.add(last, after, median, 1)
    assert costly.result()["sharpe_ratio"] < found["sharpe_ratio"]


@pytest.mark.parametrize(
    ("kind", "windows", "value", "reason"),
    [("level", 20, 1.0, "not a price or a return"), ("return", 3, 1.0, "too few"), ("return", 20, 1.0, "all the same")],
)
def test_why_there_is_no_sharpe_ratio(kind: str, windows: int, value: float, reason: str) -> None:
    strategy = Strategy(kind, "D", 1, 0.0)
    strategy.add(np.ones((2, windows)), np.full((2, windows, 1), value), np.full((2, windows, 1), value), 1)
    found = strategy.result()
    assert found["sharpe_ratio"] is None and reason in found["reason"]


def result_of(panel: Panel, config: TrainingConfig, *chunks: Chunk) -> dict[str, Any]:
    scoring = Scoring(panel, config)
    for chunk in chunks:
        scoring.add(chunk)
    return scoring.result()


def test_scores_of_a_panel(panel: Panel, config: TrainingConfig) -> None:
    wider = panel_of([panel.row_values(i % 5) + i for i in range(8)])  # a verdict needs more than five series
    scores = result_of(wider, config, chunk_with(wider, config, range(8)))
    assert scores["aggregate"][MODEL]["mae"] == pytest.approx(0.1)  # every error of the median is 0.1
    assert scores["aggregate"][SEASONAL_NAIVE]["relative_wql"] == pytest.approx(1.0)
    ratios = [row[MODEL]["wql"] / row[SEASONAL_NAIVE]["wql"] for row in scores["per_series"]]
    assert scores["aggregate"][MODEL]["relative_wql"] == pytest.approx(np.exp(np.mean(np.log(ratios))))
    assert scores["held_out_from"].startswith("2020-04-09")
    assert scores["verdict"]["result"] == "better" and scores["verdict"]["series_won"] == 8
    assert scores["publish"]["met"] and set(scores["verdicts"]) == {"seasonal_naive", "naive"}
    assert [len(values) for values in scores["by_horizon"][MODEL].values()] == [7] * 4


def test_a_panel_in_two_chunks_has_the_same_scores(panel: Panel, config: TrainingConfig, chunk: Chunk) -> None:
    parts = [chunk_with(panel, config, range(2)), chunk_with(panel, config, range(2, 5))]
    whole, other = result_of(panel, config, chunk), result_of(panel, config, *parts)
    assert other["per_series"] == whole["per_series"]
    assert other["aggregate"][MODEL]["wql"] == pytest.approx(whole["aggregate"][MODEL]["wql"])


def test_a_tie_is_not_better(panel: Panel, config: TrainingConfig) -> None:
    panel = panel_of([panel.row_values(i % 5) + i for i in range(8)])  # of five series nothing could be told
    chunk = chunk_with(panel, config, range(8))
    chunk.quantiles[MODEL] = chunk.quantiles[SEASONAL_NAIVE]
    assert result_of(panel, config, chunk)["verdict"]["result"] == "not distinguishable"


def test_series_of_zeros_and_constants_do_not_break_the_comparison(panel: Panel, config: TrainingConfig) -> None:
    values = [np.zeros(120), np.ones(120), *map(panel.row_values, (2, 3, 4))]
    other = panel_of(values)
    scores = result_of(other, config, chunk_with(other, config, range(5)))
    assert scores["per_series"][0][MODEL]["wql"] is None
    assert scores["per_series"][1][MODEL]["mase"] is None
    # Neither moves at all: naive is exact, and there was nothing to forecast. They are left out, and that is said.
    assert scores["verdict"]["series"] == 3 and scores["evidence"]["constant_series"] == 2
    assert "2 series that never change are left out" in scores["evidence"]["sentence"]
    assert scores["aggregate"][MODEL]["series"] == {"wql": 4, "mase": 3, "mae": 5, "rmse": 5, "smape": 5}


def narrow(panel: Panel, config: TrainingConfig) -> Chunk:
    """Held-out windows whose model has an interval that many observations lie below, of some series more than of others."""
    chunk = chunk_with(panel, config, range(len(panel)))
    for row, quantiles in enumerate(chunk.quantiles[MODEL]):
        quantiles += np.where(np.arange(7) % (2 + row % 3), 1.0, 0.0)
    return chunk


def test_coverage_before_a_recalibration_is_counted_as_the_one_after(panel: Panel, config: TrainingConfig) -> None:
    panel.row_values(1)[-3:] = np.nan
    panel.row_values(2)[:] = 0.3
    chunk, scoring, own = narrow(panel, config), Scoring(panel, config), Scores(config.forecast.quantile_levels)
    scoring.add(chunk)
    own.add(chunk.actual, chunk.quantiles[MODEL], np.ones(chunk.actual.shape[:2]))
    found = scoring.result()["interval_coverage"]["coverage"]
    assert scoring.share_inside(own) == pytest.approx(found) and 0.2 < found < 0.6


def test_rounding_noise_is_no_variation(panel: Panel, config: TrainingConfig) -> None:
    """0.1 + 0.2 in every eleventh row of a series of 0.3 made a MASE of 8e9 and turned the verdict."""
    tariff = np.where(np.arange(120) % 11 == 0, 0.1 + 0.2, 0.3)
    values = [panel.row_values(i % 5) + i for i in range(8)]
    without, other = panel_of(values), panel_of([*values, tariff])
    alone = result_of(without, config, narrow(without, config))
    found = result_of(other, config, narrow(other, config))
    assert found["aggregate"][MODEL]["mase"] == pytest.approx(alone["aggregate"][MODEL]["mase"])
    assert found["per_series"][8][MODEL]["mase"] is None and found["evidence"]["constant_series"] == 1
    assert found["verdict"] == alone["verdict"]
    assert found["interval_coverage"] == alone["interval_coverage"] and found["interval_coverage"]["coverage"] < 0.6
    assert [one["coverage"] for one in found["by_period"]] == [one["coverage"] for one in alone["by_period"]]


def test_hours_of_one_day_are_one_date_and_series_may_end_on_different_days(config: TrainingConfig) -> None:
    values = [np.random.default_rng(i).normal(10, 1, 120) for i in range(8)]
    daily = panel_of(values)
    hourly = dataclasses.replace(daily, freq="h")
    for panel, dates in ((daily, 21), (hourly, 1)):
        found = result_of(panel, config, chunk_with(panel, config, range(8)))
        assert found["evidence"]["dates"] == dates and found["evidence"]["enough"] == (dates > 6)
    shifted = daily.starts + np.arange(8) * np.timedelta64(7, "D")
    later = dataclasses.replace(daily, starts=shifted)
    found = result_of(later, config, chunk_with(later, config, range(8)))
    assert found["evidence"]["dates"] == 21 + 49 and len(found["by_period"]) == 3 + 7
    assert [one["series"] for one in found["by_period"]] == [1, 2, 3, 3, 3, 3, 3, 3, 2, 1]


def test_windows_that_overlap_are_no_further_dates(panel: Panel, config: TrainingConfig) -> None:
    wide = config.model_dump(mode="json")
    wide["evaluation"] |= {"windows": 20, "stride": 1}
    config = TrainingConfig.model_validate(wide)
    dates = Dates(panel, config)
    dates.add(chunk_with(panel, config, range(5)))
    assert (dates.resampling().dates, dates.resampling().block) == (20, 7) and dates.evidence(5, 0).dates == 26


def test_the_order_of_rows_changes_no_interval() -> None:
    own = np.exp(np.random.default_rng(0).normal(0.0, 0.3, 20))
    assert certain(losses(own)) == certain(losses(own[::-1], items=np.arange(20)[::-1]))


def test_targets_of_one_item_are_one_observation_of_the_comparison() -> None:
    """Ten items with four targets that move together are ten independent rows, not forty."""
    random = np.random.default_rng(0)
    items = np.exp(random.normal(0.1, 0.3, 10))
    alone = certain(losses(items))
    together = certain(losses(np.repeat(items, 4), items=np.repeat(np.arange(10), 4)))
    assert alone.interval is not None and together.rows == 10
    assert together.interval == pytest.approx(alone.interval)


def test_no_comparison_recommends_nothing() -> None:
    assert not decision("better_than_all", {}, HOLDS)["met"]


@pytest.mark.parametrize("name", [MODEL, SEASONAL_NAIVE])
def test_a_forecast_that_is_no_number_is_no_good_forecast(
    panel: Panel, config: TrainingConfig, chunk: Chunk, name: str
) -> None:
    chunk.quantiles[name][1, 2, :, 3:] = np.nan
    with pytest.raises(TrainingError, match=rf"{name}.* of series 'b' is not a number"):
        result_of(panel, config, chunk)


def test_a_forecast_of_what_was_not_observed_may_be_anything(
    panel: Panel, config: TrainingConfig, chunk: Chunk
) -> None:
    chunk.actual[1, 2, 3:] = np.nan
    before = result_of(panel, config, chunk)["aggregate"]
    chunk.quantiles[MODEL][1, 2, :, 3:] = np.nan
    assert result_of(panel, config, chunk)["aggregate"] == before


def test_buying_and_holding_pays_for_buying() -> None:
    last, after = np.full((1, 9), 100.0), np.array([[101.0, 99, 102, 98, 103, 97, 104, 96, 105]])[:, :, None]
    free, costly = Strategy("price", "D", 1, 0.0), Strategy("price", "D", 1, 100.0)
    for strategy in (free, costly):
        strategy.add(last, after, after, 1)
    assert costly.result()["buy_and_hold"] < free.result()["buy_and_hold"]


def test_nearly_equal_rows_give_an_interval_that_json_can_hold() -> None:
    found = certain(losses(np.exp(np.array([1e-13, 0.0, 2e-13, 1e-13, 3e-13, 0.8]))))
    assert found.interval is not None and 0.0 < found.interval[0] <= found.value <= found.interval[1] < np.inf
    same = certain(losses(np.full(6, 0.5)))
    assert same.interval == pytest.approx((0.5, 0.5))
