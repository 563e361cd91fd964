"""How often the verdict is wrong, on made losses: `python -m tests.unit.evaluation.simulation` prints the table.

Both forecasters have losses of one law, a product of what an item, a date and a single window bring (log-normal), so that
they are of equal skill by both means; a planted worse one has its losses multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chronos_training.evaluation.evidence import Evidence
from chronos_training.evaluation.relative import Losses, ratio
from chronos_training.evaluation.resampling import Resampling
from chronos_training.evaluation.verdict import decision, verdict

HOLDS = {"result": "holds"}


@dataclass(frozen=True)
class Cell:
    """Spreads (standard deviations of logarithms) are those of the ratio; `alike` correlates neighbouring dates."""

    name: str
    items: int
    dates: int
    of_items: float = 0.2
    of_dates: float = 0.1
    of_windows: float = 0.3
    alike: float = 0.0
    worse_by: float = 1.0


CELLS = (
    Cell("items and dates differ", 6, 4),
    Cell("items and dates differ", 20, 4),
    Cell("items and dates differ", 51, 4),
    Cell("items and dates differ", 51, 12),
    Cell("two windows", 51, 2),
    Cell("four holidays: nearly all is the date", 51, 4, of_items=0.05, of_dates=0.3, of_windows=0.05),
    Cell("items only", 51, 4, of_dates=0.0),
    Cell("noise only", 51, 4, of_items=0.0, of_dates=0.0),
    Cell("neighbouring dates alike (0.5)", 51, 4, alike=0.5),
    Cell("neighbouring dates alike (0.5)", 51, 12, alike=0.5),
    Cell("neighbouring dates alike (0.5)", 51, 26, alike=0.5),
    Cell("worse by 10 %", 51, 4, worse_by=1.1),
    Cell("worse by 25 %", 20, 4, worse_by=1.25),
    Cell("worse by 25 %", 51, 4, worse_by=1.25),
    Cell("worse by 25 %", 51, 12, worse_by=1.25),
    Cell("better by 25 %", 51, 4, worse_by=0.75),
    Cell("better by 25 %", 51, 12, worse_by=0.75),
)


def shares(cell: Cell, draws: int, samples: int = 200) -> tuple[float, float, float]:
    """Return how often the model is called better, called worse, and recommended (not_worse_than_seasonal_naive)."""
    random, counts = np.random.default_rng(7), np.zeros(3)
    block = max(1, min(int(cell.dates**0.5), cell.dates // 4))
    evidence, there = Evidence(cell.items, cell.dates, 28 * cell.dates, "", ""), np.ones((cell.items, cell.dates))
    for seed in range(draws):
        size = np.exp(random.normal(0, 0.5, (cell.items, 1)))
        own, other = (size * _losses(cell, random) for _ in range(2))
        how = Resampling(cell.dates, block, 0.95, samples, seed)
        found = ratio(Losses(own * cell.worse_by, other, there, np.arange(cell.items)), how)
        said = verdict("seasonal_naive", found, 0.95, evidence)
        met = decision("not_worse_than_seasonal_naive", {"seasonal_naive": said}, HOLDS)["met"]
        counts += [said["result"] == "better", said["result"] == "worse", met]
    better, worse, recommended = counts / draws
    return float(better), float(worse), float(recommended)


def _losses(cell: Cell, random: np.random.Generator) -> np.ndarray:
    date = random.normal(size=cell.dates)
    for later in range(1, cell.dates):
        date[later] = cell.alike * date[later - 1] + np.sqrt(1 - cell.alike**2) * date[later]
    logs = cell.of_items * random.normal(size=(cell.items, 1)) + cell.of_dates * date
    logs = logs + cell.of_windows * random.normal(size=(cell.items, cell.dates))
    return np.asarray(np.exp(logs / np.sqrt(2.0)))  # two of them make the ratio's spread


if __name__ == "__main__":
    print("| losses | series | windows | better | worse | recommended |\n|---|---|---|---|---|---|")
    for one in CELLS:
        numbers = " | ".join(f"{share * 100:.1f} %" for share in shares(one, 1000))
        print(f"| {one.name} | {one.items} | {one.dates} | {numbers} |", flush=True)
