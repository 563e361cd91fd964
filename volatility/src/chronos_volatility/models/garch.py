"""GJR-GARCH(1,1) of the daily returns: the reference that needs no range and no VIX.

L. Glosten, R. Jagannathan and D. Runkle, On the relation between the expected value and the volatility of the nominal excess
return on stocks, Journal of Finance 48 (1993), estimated by the package arch with Student's t.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from chronos_volatility.models.design import Array, Design

PERCENT = 100.0  # arch wants returns of about 1
HORIZON = 5


@dataclass(frozen=True)
class Garch:
    """h = omega + (alpha + gamma · [e < 0]) · e² + beta · h, with e = return - mean, in percent."""

    mean: float
    omega: float
    alpha: float
    gamma: float
    beta: float
    start: float
    """The variance before the first session."""

    names: tuple[str, ...] = ("return_1",)

    def forecast(self, values: Array, begin: int, end: int) -> Array:
        """Return the variances of five sessions (end - begin) after the sessions from `begin` on, from all returns (n, 1).

        The variance of the next session is known; the expected one moves from there to its mean by the persistence.
        """
        errors = np.nan_to_num(PERCENT * values[:end, 0] - self.mean, nan=0.0)
        ahead, variance = np.empty(end), self.start
        for session, error in enumerate(errors):
            effect = self.alpha + (self.gamma if error < 0 else 0.0)
            variance = self.omega + effect * error * error + self.beta * variance
            ahead[session] = variance
        persistence = min(self.alpha + 0.5 * self.gamma + self.beta, 0.9999)
        level = self.omega / (1 - persistence)
        weight = (1 - persistence**HORIZON) / (1 - persistence)
        found = HORIZON * level + weight * (ahead[begin:] - level)
        return np.asarray(found / PERCENT**2)


def fit_garch(design: Design, end: int) -> Garch:
    """Fit the returns of the first `end` sessions by maximum likelihood."""
    from arch import arch_model  # late: a second of imports that only training needs

    returns = PERCENT * design.columns(["return_1"], end)[:, 0]
    returns = returns[np.isfinite(returns)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence: what does not forecast well does not pass the gate
        result = arch_model(returns, mean="Constant", vol="GARCH", p=1, o=1, q=1, dist="t").fit(disp="off")
    found = {name: float(value) for name, value in result.params.items()}
    return Garch(
        found["mu"], found["omega"], found["alpha[1]"], found["gamma[1]"], found["beta[1]"], float(np.var(returns))
    )
