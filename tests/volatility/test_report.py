"""The page: what it says, that it is one file, and when there is none."""

import dataclasses
import html
import re
from pathlib import Path

import numpy as np
import pytest

from chronos_volatility import settings as settings_of
from chronos_volatility.gate import champion
from chronos_volatility.models.intervals import LEVELS
from chronos_volatility.report import facts as report_facts
from chronos_volatility.report.page import render, verdict
from chronos_volatility.report.regimes import regimes
from chronos_volatility.settings import OFFLINE, SYNTHETIC
from chronos_volatility.storage import FolderStorage
from tests.volatility.conftest import NOW
from tests.volatility.panels import walk
from tests.volatility.test_model_steps import CHAIN, TRAIN, command, fill


@pytest.fixture(scope="module")
def storage(tmp_path_factory) -> FolderStorage:
    storage = fill(FolderStorage(tmp_path_factory.mktemp("report") / "data"))
    for words in CHAIN:
        assert command(storage, *words) == 0
    return storage


@pytest.fixture(scope="module")
def found(storage) -> report_facts.Facts:
    return report_facts.gather(storage, NOW)


def page_of(storage: FolderStorage, folder: Path, capsys) -> str:
    path = folder / "deep" / "report.html"
    assert command(storage, "report", "--output", str(path)) == 0
    assert capsys.readouterr().out == f"written: {path}\n"
    return path.read_text(encoding="utf-8")


def words_of(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.split("</style>")[1])))


def test_the_page_says_what_is_stored(storage, found, tmp_path, capsys):
    page = page_of(storage, tmp_path, capsys)
    said = words_of(page)
    serving = champion.current(storage).version
    assert f"Model {serving}, since 2018-12-10: log-har-x: the first champion." in said
    assert f"At the close of 2018-12-07: {100 * found.prediction['annualized']:.1f} % a year" in said
    for score in found.run.scores.values():
        assert f"{score['qlike']:.4f}" in said
    for check in found.decision["checks"]:
        assert check["words"].split(": ", 1)[1] in said
    assert "tlt_return_5 0.0 %" in said  # no source offline has it
    assert page.count("<svg") == 4 and page.count("</svg>") == 4


def test_it_is_one_file_that_asks_for_nothing(found):
    page = render(found)
    assert not re.search(r"<(script|link|img|iframe)|src=|@import|url\((?!#)|https?://", page)
    assert re.findall(r'<meta name="viewport"', page)


def test_regimes_share_the_sessions_and_their_loss(found):
    what, rows = regimes(found)
    assert what.startswith("the VIX")
    assert sum(row["sessions"] for row in rows) == len(found.walk)
    together = sum(row["qlike"] * row["sessions"] for row in rows) / len(found.walk)
    assert together == pytest.approx(found.run.scores[found.shown]["qlike"])


def test_without_a_vix_regimes_go_by_the_targets_own_past(found):
    alone = dataclasses.replace(found, market=found.market[found.market["symbol"] == "SPX"])
    what, rows = regimes(alone)
    assert what.startswith("the volatility of the 20 sessions before")
    assert sum(row["sessions"] for row in rows) == len(found.walk)


def test_an_interval_is_known_before_what_it_is_about(found):
    """What comes changes no earlier interval, and none of the sessions whose labels overlap with it."""
    later = found.walk.copy()
    later.loc[later.index[-1], "y"] *= 100
    from chronos_volatility.models import intervals

    changed = intervals.as_known(later["y"].to_numpy(), later[found.shown].to_numpy())
    np.testing.assert_array_equal(changed, found.bounds)
    assert found.bounds.shape == (len(found.walk), len(LEVELS))


def of_models(found: report_facts.Facts, own: np.ndarray) -> report_facts.Facts:
    """The facts as if the champion had forecast `own`."""
    from chronos_volatility.gate.measures import score

    walked = found.walk.assign(**{found.shown: own})
    y = walked["y"].to_numpy()
    scores = {name: score(y, walked[name].to_numpy(), synthetic=False) for name in found.run.scores}
    return dataclasses.replace(found, walk=walked, run=dataclasses.replace(found.run, scores=scores))


def test_the_verdict_is_not_better_than_the_evidence(found):
    y = found.walk["y"].to_numpy()
    sure, sentence = verdict(of_models(found, y * 1.01))
    assert sure and "better than the volatility of the last 20 sessions" in sentence
    sure, sentence = verdict(of_models(found, y * 50))
    assert not sure and "worse than the volatility of the last 20 sessions" in sentence
    same = found.walk["rv-20"].to_numpy() * np.exp(0.01 * np.random.default_rng(1).standard_normal(len(y)))
    sure, sentence = verdict(of_models(found, same))
    assert not sure and "cannot be told from" in sentence


def test_before_the_gate_nothing_is_in_service(tmp_path):
    storage = fill(FolderStorage(tmp_path / "data"))
    for words in (("features",), ("labels",), TRAIN):
        assert command(storage, *words) == 0
    said = words_of(render(report_facts.gather(storage, NOW)))
    assert "Nothing in service" in said
    assert "No model has passed the gate. What is shown is log-HAR-Parkinson." in said
    assert "This training has not been judged: volatility gate does." in said
    assert "No forecast is stored yet" in said


def test_without_a_training_it_is_one_sentence(tmp_path, capsys):
    storage = fill(FolderStorage(tmp_path / "data"))
    assert command(storage, "report", "--output", str(tmp_path / "r.html")) == 2
    assert capsys.readouterr().err.endswith("has no training. Run `volatility train` first.\n")
    assert not (tmp_path / "r.html").exists()


def test_made_up_prices_have_no_report(tmp_path, capsys):
    storage = FolderStorage(tmp_path / "data")
    market = walk(1200, seed=3)
    storage.create(settings_of.KEY, dataclasses.replace(OFFLINE, sources=(SYNTHETIC,)).to_json())
    from chronos_volatility import tables

    tables.write(storage, tables.MARKET_DAILY, market.sort_values(["date", "symbol"], ignore_index=True), now=NOW)
    for words in (("features",), ("labels",), TRAIN):
        assert command(storage, *words) == 0
    capsys.readouterr()
    assert command(storage, "report", "--output", str(tmp_path / "r.html")) == 2
    assert "they are never scored" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_a_page_that_cannot_be_written_is_one_sentence(storage, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert command(storage, "report", "--output", str(tmp_path / "file" / "report.html")) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_market_data_of_the_page_is_bounded(found):
    """A page of 30 years must open on a phone."""
    assert len(render(found).encode()) < 300_000
