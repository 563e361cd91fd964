"""Ratios with their intervals, the verdict in words, what follows from it, and the return of a strategy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chronos_training.config import TrainingConfig
from chronos_training.core.errors import TrainingError
from chronos_training.data.panel import Panel
from chronos_training.models.evaluation.forecasts import MODEL, SEASONAL_NAIVE, Chunk
from chronos_training.models.evaluation.relative import Ratio, ratio
from chronos_training.models.evaluation.scoring import Scoring
from chronos_training.models.evaluation.sharpe import Strategy
from chronos_training.models.evaluation.verdict import decision, verdict
from tests.unit.models.conftest import chunk_with, panel_of

HOW = {"confidence": 0.95, "samples": 500}


def test_a_ratio_is_the_geometric_mean_and_seeded() -> None:
    own, other = np.array([1.0, 4.0, np.nan, 0.0]), np.array([2.0, 2.0, 1.0, 1.0])
    found = ratio(own, other, **HOW)
    assert found is not None and found == ratio(own, other, **HOW)
    assert found.value == pytest.approx(1.0) and (found.rows, found.won, found.interval) == (2, 1, None)
    assert ratio(np.array([np.nan]), np.array([1.0]), **HOW) is None


def test_more_rows_make_the_interval_narrower_and_it_covers() -> None:
    random = np.random.default_rng(0)
    widths, hits = {}, 0
    for count in (20, 2000):
        found = ratio(np.exp(random.normal(0.1, 0.5, count)), np.ones(count), **HOW)
        assert found is not None and found.interval is not None
        low, high = found.interval
        assert low <= found.value <= high
        widths[count] = high - low
    assert widths[2000] < widths[20] / 4
    for seed in range(200):
        rows = np.exp(np.random.default_rng(seed).normal(0.0, 0.5, 40))
        found = ratio(rows, np.ones(40), confidence=0.95, samples=200)
        assert found is not None and found.interval is not None
        hits += found.interval[0] <= 1.0 <= found.interval[1]
    assert 0.88 <= hits / 200 <= 0.99


@pytest.mark.parametrize(
    ("low", "value", "high", "result", "words"),
    [
        (0.6, 0.7, 0.8, "better", "Better than AutoETS: WQL −30.0 %"),
        (0.9, 1.0, 1.1, "not distinguishable", "Not distinguishable from AutoETS: WQL +0.0 %"),
        (1.1, 1.2, 1.3, "worse", "Worse than AutoETS: WQL +20.0 %"),
    ],
)
def test_the_verdict_in_words(low: float, value: float, high: float, result: str, words: str) -> None:
    found = verdict("auto_ets", Ratio(value, (low, high), 10, 7), 0.95)
    assert found["result"] == result and found["sentence"].startswith(words)
    assert "lower on 7 of 10 series" in found["sentence"] and "95% interval" in found["sentence"]


def test_one_series_distinguishes_nothing() -> None:
    assert verdict("naive", Ratio(0.5, None, 1, 1), 0.95)["result"] == "not distinguishable"
    assert verdict("naive", None, 0.95)["result"] == "undecided"


def of(**results: str) -> dict[str, Any]:
    return {name: {"result": result} for name, result in results.items()}


@pytest.mark.parametrize(
    ("condition", "verdicts", "met", "says"),
    [
        ("always", of(seasonal_naive="worse"), True, "whatever"),
        ("better_than_seasonal_naive", of(seasonal_naive="better"), True, "better than seasonal naive"),
        ("better_than_seasonal_naive", of(seasonal_naive="not distinguishable"), False, "not distinguishable from"),
        ("not_worse_than_seasonal_naive", of(seasonal_naive="not distinguishable"), True, "not distinguishable from"),
        ("not_worse_than_seasonal_naive", of(seasonal_naive="worse"), False, "worse than seasonal naive"),
        ("not_worse_than_seasonal_naive", of(seasonal_naive="undecided"), False, "not comparable"),
        ("better_than_zero_shot", of(seasonal_naive="better"), False, "no comparison with the model it started from"),
        ("better_than_zero_shot", of(zero_shot="better"), True, "better than the model it started from"),
        ("better_than_all", of(seasonal_naive="better", auto_ets="worse"), False, "not better than AutoETS"),
        ("better_than_all", of(seasonal_naive="better", auto_ets="better"), True, "better than all"),
    ],
)
def test_what_is_recommended(condition: str, verdicts: dict[str, Any], met: bool, says: str) -> None:
    found = decision(condition, verdicts)
    assert found["met"] is met and says in found["sentence"]
    assert found["sentence"].startswith("Recommended: " if met else "Not recommended: ")


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


def test_a_tie_is_not_better(panel: Panel, config: TrainingConfig, chunk: Chunk) -> None:
    chunk.quantiles[MODEL] = chunk.quantiles[SEASONAL_NAIVE]
    assert result_of(panel, config, chunk)["verdict"]["result"] == "not distinguishable"


def test_series_of_zeros_and_constants_do_not_break_the_comparison(panel: Panel, config: TrainingConfig) -> None:
    values = [np.zeros(120), np.ones(120), *map(panel.row_values, (2, 3, 4))]
    other = panel_of(values)
    scores = result_of(other, config, chunk_with(other, config, range(5)))
    assert scores["per_series"][0][MODEL]["wql"] is None
    assert scores["per_series"][1][MODEL]["mase"] is None
    assert scores["verdict"]["series"] < 5


@pytest.mark.parametrize("rows", [6, 10, 30])
def test_equal_forecasters_are_told_apart_as_rarely_as_promised(rows: int) -> None:
    random, wrong = np.random.default_rng(0), 0
    for seed in range(600):
        own = np.exp(random.normal(0.0, 0.2, rows))
        found = verdict("naive", ratio(own, np.ones(rows), confidence=0.95, samples=200, seed=seed), 0.95)
        wrong += found["result"] != "not distinguishable"
    assert wrong / 600 < 0.09  # 5 % are promised; 600 draws scatter by 1 %, and six rows are few for any method


def test_too_few_series_distinguish_nothing_and_the_sentence_says_so() -> None:
    found = verdict("naive", ratio(np.full(5, 0.5), np.ones(5), **HOW), 0.95)
    assert found["result"] == "not distinguishable"
    assert "5 series are too few to tell" in found["sentence"] and "interval" not in found["sentence"]


def test_the_order_of_rows_changes_no_interval() -> None:
    own = np.exp(np.random.default_rng(0).normal(0.0, 0.3, 20))
    assert ratio(own, np.ones(20), **HOW) == ratio(own[::-1], np.ones(20), **HOW)


def test_targets_of_one_item_are_one_observation_of_the_comparison() -> None:
    """Ten items with four targets that move together are ten independent rows, not forty."""
    random = np.random.default_rng(0)
    items = np.exp(random.normal(0.1, 0.3, 10))
    own, groups = np.repeat(items, 4), np.repeat(np.arange(10), 4)
    alone, together = ratio(items, np.ones(10), **HOW), ratio(own, np.ones(40), groups=groups, **HOW)
    assert alone is not None and together is not None
    assert together.interval == pytest.approx(alone.interval) and together.rows == 10


def test_no_comparison_recommends_nothing() -> None:
    assert not decision("better_than_all", {})["met"]


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
    own = np.exp(np.array([1e-13, 0.0, 2e-13, 1e-13, 3e-13, 0.8]))
    found = ratio(own, np.ones(6), **HOW)
    assert found is not None and found.interval is not None
    assert 0.99 < found.interval[0] <= found.value <= found.interval[1] <= own.max()
