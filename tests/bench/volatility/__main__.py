"""`python -m tests.bench.volatility`: how fast the volatility steps are, as ratios of one run. `--write`: docs/bench-volatility.md.

In the environment of volatility/, on the bundled S&P 500 and VIX.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from chronos_training.core.output import run
from tests.bench.table import Row, Section, Target
from tests.bench.volatility import figures

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/bench-volatility.md"
NOW = "2018-12-07T18:05-05:00"
BEFORE, LAST = "2018-12-06", "2018-12-07"
TENTH = "2016-01-15"  # from here on 729 sessions, a tenth of all
ROUNDS = 5


# The peak of a program's own memory; what wait4 tells of a child begins with its parent's.
CLI = """
import sys
from chronos_volatility.cli import main
code = main(sys.argv[1:])
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak, file=sys.stderr)
sys.exit(code)
"""


def step(folder: Path, *words: str, **variables: str) -> tuple[float, float]:
    """Run `volatility` in a process of its own. Returns its seconds and its peak memory in MB."""
    command = [sys.executable, "-c", CLI, *words, "--data", str(folder), "--now", NOW]
    seconds, said = measured(command, **variables)
    return seconds, int(said.splitlines()[-1]) / 1024


def measured(command: list[str], **variables: str) -> tuple[float, str]:
    begun = time.perf_counter()
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **variables}
    )
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr}")
    return seconds, done.stderr


def a_day(folder: Path) -> Section:
    """Features of one new session against those of the whole history, both without the start of a process."""
    from chronos_volatility.cli import main

    def timed(*words: str) -> float:
        begun = time.perf_counter()
        with redirect_stdout(io.StringIO()):
            code = main([*words, "--data", str(folder), "--now", NOW])
        assert code == 0, words
        return time.perf_counter() - begun

    rebuild, day = [], []
    step(folder, "ingest", "--until", BEFORE)
    timed("check", "--recent")  # what is imported once
    rebuild.append(timed("features"))
    step(folder, "ingest")
    day.append(timed("features"))
    rows = [Row("features of 7,291 sessions", rebuild), Row("features of one new session", day)]
    about = "The step `features` on a folder, in a process that has its imports: the whole history, and the session after it."
    return Section("A new day", about, rows, [Target("one day / all days", day[0] / rebuild[0], 0.05)])


@contextmanager
def timed_calls(places: list[tuple[Any, str]]) -> Iterator[list[float]]:
    """Add up the seconds that these functions take, not counting one inside another."""
    spent, deep = [0.0], [0]

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            deep[0] += 1
            try:
                return function(*args, **kwargs)
            finally:
                deep[0] -= 1
                if not deep[0]:
                    spent[0] += time.perf_counter() - begun

        return timed

    originals = [(owner, name, getattr(owner, name)) for owner, name in places]
    for owner, name, function in originals:
        setattr(owner, name, wrap(function))
    try:
        yield spent
    finally:
        for owner, name, function in originals:
            setattr(owner, name, function)


def a_week(folder: Path) -> Section:
    """A training against the fits of the libraries inside it."""
    import lightgbm
    import numpy as np
    from arch.univariate.base import ARCHModel

    from chronos_volatility.cli import main

    step(folder, "labels")
    fits = [(np.linalg, "lstsq"), (lightgbm, "train"), (ARCHModel, "fit")]
    with timed_calls(fits) as spent:
        begun = time.perf_counter()
        with redirect_stdout(io.StringIO()):
            assert main(["train", "--data", str(folder), "--now", NOW]) == 0
        whole = time.perf_counter() - begun
    step(folder, "gate")
    rows = [Row("the step train", [whole]), Row("the fits inside it, by numpy, LightGBM and arch", [spent[0]])]
    about = (
        "All candidates, walk-forward over 6,282 sessions and once more on everything: the whole step against its fits."
    )
    return Section("A weekly training", about, rows, [Target("train / its fits", whole / spent[0], 1.5)])


def a_forecast(folder: Path) -> Section:
    """The process that forecasts one session against one that only imports what it needs."""
    from chronos_volatility.calendar import get_calendar
    from chronos_volatility.gate import champion
    from chronos_volatility.storage import open_storage

    serving = champion.current(open_storage(str(folder)))
    assert serving is not None
    days = [str(day.date()) for day in get_calendar().sessions("2018-11-01", LAST)[-ROUNDS:]]
    imports = [sys.executable, "-c", "import chronos_volatility.steps.infer"]
    measured(imports)
    ours, bare = [], []
    for day in days:  # a session that has its forecast is not forecast again
        ours.append(step(folder, "infer", "--date", day, MODEL_VERSION=serving.version)[0])
        bare.append(measured(imports)[0])
    rows = [Row("infer, one session", ours), Row("its imports alone", bare)]
    about = "Whole processes, in turns."
    ratio = rows[0].median / rows[1].median
    return Section("A forecast", about, rows, [Target("infer / its imports", ratio, 1.3)])


def memory(folder: Path) -> Section:
    """Peak memory of the daily steps with a tenth of the history, and with all of it."""
    rows, worst = [], 0.0
    small, large = folder / "small", folder / "large"
    for place, words in ((small, ("--first", TENTH)), (large, ())):
        step(place, "ingest", "--until", BEFORE, *words)
        step(place, "features")
        step(place, "labels")
    for words in (("ingest",), ("features",), ("labels",)):
        found = [step(place, *words)[1] for place in (small, large)]
        rows += [Row(f"{words[0]}: 730 sessions", [found[0]]), Row(f"{words[0]}: 7,292 sessions", [found[1]])]
        worst = max(worst, found[1] / found[0])
    about = "A new session after a history of one length and of ten times that: the peak memory of each step's process."
    return Section(
        "Memory of a day", about, rows, [Target("10 × the rows / the rows, the worst step", worst, 1.1)], unit="MB"
    )


def main() -> None:
    """Measure, print, and with --write keep the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument(
        "--figures", action="store_true", help="how good the forecasts are, instead; --write: docs/volatility.md"
    )
    options = parser.parse_args()
    if options.figures:
        figures.write(keep=options.write)
        return
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sections = [a_day(folder / "data"), a_week(folder / "data"), a_forecast(folder / "data"), memory(folder)]
    print("\n".join(section.terminal() for section in sections))
    if options.write:
        today = datetime.now(timezone.utc).date()
        head = (
            "# Speed of the volatility forecast\n\n"
            f"Written by `make bench-volatility ARGS=--write` on {today}: {os.cpu_count()} cores ({platform.machine()}), "
            f"load {load:.1f} before.\n\n"
        )
        PAGE.write_text(head + "\n".join(section.markdown() for section in sections), encoding="utf-8")
        print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    raise SystemExit(run(main))
