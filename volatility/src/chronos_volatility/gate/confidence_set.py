"""The models that cannot be told from the best one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SIZE = 0.10
REPETITIONS = 1000
BLOCK = 21  # sessions: losses of overlapping labels, in calm and in storm, hang together
SEED = 20


def p_values(losses: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return by model the p-value that it is among the best; with SIZE or more it is in the 90 % model confidence set.

    `losses` are (n) each. Source: P. Hansen, A. Lunde and J. Nason, The model confidence set, Econometrica 79 (2011), by the
    package arch (stationary bootstrap, fixed seed).
    """
    from arch.bootstrap import MCS  # late: a second of imports

    if len(losses) < 2:
        return dict.fromkeys(losses, 1.0)
    table = pd.DataFrame(dict(losses))
    found = MCS(table, size=SIZE, reps=REPETITIONS, block_size=BLOCK, method="R", bootstrap="stationary", seed=SEED)
    found.compute()
    return {name: float(found.pvalues.loc[name, "Pvalue"]) for name in table.columns}
