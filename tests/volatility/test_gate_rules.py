"""The gate's rules: what is refused, and why it says so."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from chronos_training.core.errors import DataError
from chronos_volatility.gate import rules
from chronos_volatility.gate.decision import KEEP, PROMOTE, REFRESH, Contender
from chronos_volatility.gate.diebold_mariano import statistic
from chronos_volatility.gate.measures import qlike, qlike_loss
from chronos_volatility.models import walk_forward
from chronos_volatility.models.specifications import HAR, HAR_X
from tests.volatility.panels import real_design

SESSIONS = 1500


def table(seed: int = 0, sessions: int = SESSIONS, **skill: float) -> pd.DataFrame:
    """Forecasts whose log errors have these standard deviations; the truth has noise of its own."""
    rng = np.random.default_rng(seed)
    log = np.zeros(sessions)
    for day in range(1, sessions):
        log[day] = 0.98 * log[day - 1] + 0.1 * rng.standard_normal()
    y = 0.0005 * np.exp(log) * rng.chisquare(5, sessions) / 5
    columns = {"rv-20": 0.8, "log-har": 0.5, **skill}
    forecasts = {
        name: 0.0005 * np.exp(log + error * rng.standard_normal(sessions) - error**2 / 2)
        for name, error in columns.items()
    }
    return pd.DataFrame({"date": pd.bdate_range("2010-01-04", periods=sessions), "y": y, **forecasts})


def contender(name: str, frame: pd.DataFrame, rank: int = 2, **changes: object) -> Contender:
    recent = qlike(frame["y"].to_numpy()[-250:], frame[name].to_numpy()[-250:])
    return dataclasses.replace(Contender(name, f"{name}-1", rank, True, 0, recent), **changes)


def decide(frame: pd.DataFrame, *contenders: Contender, champion: Contender | None = None):
    return rules.decide(frame, contenders, champion=champion, synthetic=False, with_confidence_set=False)


def refused(decision) -> set[tuple[str, str]]:
    return {(one.candidate, one.rule) for one in decision.checks if not one.passed}


def test_the_first_champion_is_the_simplest_that_nothing_beats():
    frame = table(x=0.3, trees=0.3)
    found = decide(frame, contender("log-har", frame, 1), contender("x", frame), contender("trees", frame, 4))
    assert (found.action, found.chosen) == (PROMOTE, "x-1")
    assert ("trees", "challenger, QLIKE") in refused(found)


def test_log_har_serves_where_nothing_is_two_percent_better():
    frame = table()
    frame["x"] = frame["log-har"] * 1.001
    found = decide(frame, contender("log-har", frame, 1), contender("x", frame))
    assert found.chosen == "log-har-1"
    assert ("x", "fallback") in refused(found)


def test_what_does_not_beat_the_benchmark_does_not_serve():
    frame = table(x=1.5)
    frame["log-har"] = frame["rv-20"]
    found = decide(frame, contender("log-har", frame, 1), contender("x", frame))
    assert (found.action, found.chosen) == (KEEP, None)
    assert {("log-har", "benchmark, QLIKE"), ("x", "benchmark, RMSE")} <= refused(found)


def test_too_few_sessions_say_nothing():
    frame = table(x=0.3, sessions=999)
    found = decide(frame, contender("log-har", frame, 1), contender("x", frame))
    assert found.chosen is None
    assert ("x", "sessions") in refused(found)


def test_a_stale_model_is_refused():
    frame = table(x=0.3)
    found = decide(frame, contender("log-har", frame, 1), contender("x", frame, behind=11))
    assert found.chosen == "log-har-1"
    assert ("x", "fresh") in refused(found)
    words = next(one.words for one in found.checks if (one.candidate, one.rule) == ("x", "fresh"))
    assert words == "x: 11 sessions since its training ended, at most 10 wanted: refused"


def test_a_model_that_the_api_cannot_use_is_refused():
    frame = table(garch=0.2)
    found = decide(frame, contender("log-har", frame, 1), contender("garch", frame, serves=False))
    assert found.chosen == "log-har-1"
    assert ("garch", "serves") in refused(found)


def test_a_stored_model_that_is_not_its_walk_forward_is_refused():
    frame = table(x=0.3)
    honest = contender("x", frame)
    found = decide(frame, contender("log-har", frame, 1), dataclasses.replace(honest, recent=1.2 * honest.recent))
    assert ("x", "itself") in refused(found)
    assert found.chosen == "log-har-1"


def test_a_challenger_needs_two_percent_and_certainty():
    frame = table(x=0.3, better=0.1)
    champion = contender("x", frame, version="x-0")
    found = decide(frame, *(contender(name, frame) for name in ("log-har", "x", "better")), champion=champion)
    assert (found.action, found.chosen, found.champion) == (PROMOTE, "better-1", "x-0")
    close = frame.assign(better=frame["x"] * 1.001)
    found = decide(close, *(contender(name, close) for name in ("log-har", "x", "better")), champion=champion)
    assert (found.action, found.chosen) == (REFRESH, "x-1")


def test_a_refit_is_refreshed_unless_it_is_worse():
    frame = table(x=0.3)
    fresh = contender("x", frame)
    for factor, action, chosen in ((1.0, REFRESH, "x-1"), (1 / 1.005, REFRESH, "x-1"), (1 / 1.02, KEEP, "x-0")):
        champion = dataclasses.replace(fresh, version="x-0", recent=fresh.recent * factor)
        found = decide(frame, contender("log-har", frame, 1), fresh, champion=champion)
        assert (found.action, found.chosen) == (action, chosen)


def test_an_unreadable_champion_is_replaced_by_its_refit():
    frame = table(x=0.3)
    champion = contender("x", frame, version="x-0", recent=float("inf"))
    assert decide(frame, contender("log-har", frame, 1), contender("x", frame), champion=champion).action == REFRESH


def test_a_champion_that_lost_its_lead_over_log_har_goes():
    frame = table()
    frame["x"] = frame["log-har"] * 1.001
    champion = contender("x", frame, version="x-0")
    found = decide(frame, contender("log-har", frame, 1), contender("x", frame), champion=champion)
    assert (found.action, found.chosen) == (PROMOTE, "log-har-1")


def test_made_up_prices_are_refused():
    frame = table(x=0.3)
    with pytest.raises(DataError, match="synthetic"):
        rules.decide(frame, [contender("x", frame)], champion=None, synthetic=True)


def test_the_record_says_every_figure():
    frame = table(x=0.3)
    found = rules.decide(frame, [contender("log-har", frame, 1), contender("x", frame)], champion=None, synthetic=False)
    record = found.to_dict()
    assert {"rule", "figure", "threshold", "passed", "words", "candidate"} == record["checks"][0].keys()
    assert record["confidence_set"].keys() == {"rv-20", "log-har", "x"}
    assert record["scores"]["x"]["sessions"] == SESSIONS


def test_a_model_trained_on_shuffled_labels_is_refused():
    """On the S&P 500: labels in random order teach a level, and nothing of when."""
    honest = real_design()
    rows = 2600
    design = dataclasses.replace(
        honest, dates=honest.dates[:rows], values=honest.values[:rows],
        variance=np.random.default_rng(0).permutation(honest.variance[:rows]),
    )  # fmt: skip
    shuffled = walk_forward.forecasts(design, HAR_X, 1005)
    real = dataclasses.replace(design, variance=honest.variance[:rows])
    frame = walk_forward.run(real, [HAR])
    frame["shuffled"] = np.where(np.isfinite(shuffled), shuffled, frame["log-har"])
    found = decide(frame, contender("log-har", frame, 1), contender("shuffled", frame))
    assert found.chosen == "log-har-1"
    assert {("shuffled", "benchmark, RMSE"), ("shuffled", "fallback")} <= refused(found)


def challengers_by_noise(count: int, persistence: float, sessions: int = 1500) -> float:
    """Return the share of challengers of the champion's own skill that pass the rule for challengers.

    In each pair both err by noise of the same size, persistent as the errors of models are, and independent.
    """
    rng = np.random.default_rng(7)

    def errors(shape: tuple[int, ...]) -> np.ndarray:
        found = rng.standard_normal(shape)
        for day in range(1, shape[0]):
            found[day] = persistence * found[day - 1] + np.sqrt(1 - persistence**2) * found[day]
        return 0.3 * found

    truth = np.exp(errors((sessions,)) * 2)
    noise = rng.chisquare(1, sessions + 4)
    y = truth * sum(noise[k : k + sessions] for k in range(5)) / 5  # overlapping labels
    passed = 0
    for begin in range(0, count, 100):
        many = min(100, count - begin)
        pair = [qlike_loss(y[:, None], truth[:, None] * np.exp(errors((sessions, many)))) for _ in range(2)]
        better = 1 - pair[1].mean(axis=0) / pair[0].mean(axis=0) >= rules.CHALLENGER_GAIN
        better &= rules.least_gain(*pair) > 0
        passed += int(np.sum(better & (statistic(*pair) > rules.CHALLENGER_T)))
    return passed / count


@pytest.mark.parametrize("persistence", [0.0, 0.5, 0.9, 0.97])
def test_at_most_one_in_ten_challengers_passes_by_noise(persistence):
    assert challengers_by_noise(1000, persistence) <= 0.10
