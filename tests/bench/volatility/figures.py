"""How good the forecasts are, on real histories: what docs/volatility.md says of it is written from here.

Walk-forward with untouched defaults: fitted on what was known, refitted every 21 sessions (trees and GARCH every 63), five
sessions purged. The intervals are of a stationary bootstrap of sessions, in blocks of 63 at the mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import arch.data.nasdaq
import numpy as np
import pandas as pd
from arch.bootstrap import StationaryBootstrap

from chronos_volatility.gate.diebold_mariano import statistic
from chronos_volatility.gate.measures import qlike_loss, squared_error
from chronos_volatility.ingest.curate import curate
from chronos_volatility.models import intervals, walk_forward
from chronos_volatility.models.design import Design
from chronos_volatility.models.specifications import BENCHMARK, CANDIDATES, HAR_X
from chronos_volatility.sources.bundled import Bundled
from tests.bench.volatility.choices import design_of

PAGE = Path(__file__).resolve().parents[3] / "docs/volatility.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
BLOCK, REPETITIONS, SEED = 63, 1000, 7


@dataclass(frozen=True)
class History:
    """A real history, and from when on it is scored."""

    title: str
    design: Design
    first: str


def histories() -> Iterator[History]:
    """Give the histories, made one after the other."""
    begins, ends = pd.Timestamp("1990-01-02"), pd.Timestamp("2018-12-07")
    spx, vix = (Bundled().fetch(name, begins, ends).frame.assign(symbol=name) for name in ("SPX", "VIX"))
    nasdaq = arch.data.nasdaq.load().rename(columns=str.lower).rename_axis("date").reset_index()
    nasdaq = nasdaq.assign(symbol="NDQ", dividend=0.0, split=1.0)
    nothing = pd.DataFrame({"symbol": [], "close": [], "adj_close": []})

    def made(*frames: pd.DataFrame, target: str) -> Design:
        return design_of(curate(pd.concat(frames), nothing), target)

    yield History("S&P 500 with the VIX, 2007–2018", made(spx, vix, target="SPX"), "2007-01-03")
    yield History("S&P 500 alone, 2007–2018", made(spx, target="SPX"), "2007-01-03")
    near = vix[(vix["date"] >= nasdaq["date"].min()) & (vix["date"] <= nasdaq["date"].max())]
    yield History("Nasdaq Composite with the VIX, 2007–2018", made(nasdaq, near, target="NDQ"), "2007-01-03")
    yield History("Nasdaq Composite alone, 2007–2018", made(nasdaq, target="NDQ"), "2007-01-03")


def table_of(history: History) -> str:
    """Return the models' table of a history."""
    whole = walk_forward.run(history.design, CANDIDATES)
    bounds = intervals.as_known(whole["y"].to_numpy(), whole[HAR_X.name].to_numpy())
    scored = (whole["date"] >= history.first).to_numpy()
    table, bounds = whole[scored], bounds[scored]
    y = table["y"].to_numpy()
    names = [BENCHMARK.name, *(one.name for one in CANDIDATES)]
    titles = {one.name: one.title for one in (BENCHMARK, *CANDIDATES)}
    losses = {name: qlike_loss(y, table[name].to_numpy()) for name in names}
    errors = {name: squared_error(y, table[name].to_numpy()) for name in names}
    lines = [
        f"### {history.title}", "",
        f"{len(table):,} sessions from {table['date'].iloc[0].date()} to {table['date'].iloc[-1].date()}.", "",
        "| model | QLIKE | better than scaled RV20 (90 % interval) | RMSE | better by | t of log-HAR-X against it |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name in names:
        qlike, rmse = losses[name].mean(), np.sqrt(errors[name].mean())
        better = ""
        if name != BENCHMARK.name:
            low, high = interval(losses[name], losses[BENCHMARK.name])
            better = f"{percent(1 - qlike / losses[BENCHMARK.name].mean())} ({percent(low)} to {percent(high)})"
        gain = "" if name == BENCHMARK.name else percent(1 - rmse / np.sqrt(errors[BENCHMARK.name].mean()))
        t = "" if name == HAR_X.name else f"{float(statistic(losses[name], losses[HAR_X.name])):.1f}".replace("-", "−")
        lines.append(f"| {titles[name]} | {qlike:.3f} | {better} | {rmse:.5f} | {gain} | {t} |")
    shares = intervals.calibration(y, bounds)
    covered = [shares["0.9"] - shares["0.1"], shares["0.95"] - shares["0.05"]]
    lines += [
        "",
        f"Of the realized volatilities {100 * covered[0]:.0f} % were in log-HAR-X's 80 % interval and {100 * covered[1]:.0f} % in its 90 % interval.",
        "",
    ]
    return "\n".join(lines)


def interval(loss: np.ndarray, base: np.ndarray) -> tuple[float, float]:
    """Return the 90 % interval of the gain of `loss` over `base`, both (n)."""
    drawn = StationaryBootstrap(BLOCK, np.column_stack([loss, base]), seed=SEED)
    found = [1 - data[0][0][:, 0].mean() / data[0][0][:, 1].mean() for data in drawn.bootstrap(REPETITIONS)]
    return float(np.quantile(found, 0.05)), float(np.quantile(found, 0.95))


def percent(value: float) -> str:
    return f"{100 * value:+.1f} %".replace("-", "−")


def write(*, keep: bool) -> None:
    """Print the tables, and with `keep` put them into the page."""
    tables = []
    for history in histories():
        tables.append(table_of(history))
        print(tables[-1], flush=True)
    if keep:
        text = PAGE.read_text(encoding="utf-8")
        found = "\n".join([BEGIN, "", *tables]) + END
        PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: found, text, flags=re.DOTALL), encoding="utf-8")
        print(f"written: docs/{PAGE.name}")
