"""The page: one HTML file without scripts, fonts or files beside it."""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, StrictUndefined

from chronos_training.training.charts import style
from chronos_volatility.features import feature_set
from chronos_volatility.gate.measures import gain
from chronos_volatility.models import intervals
from chronos_volatility.models.specifications import BENCHMARK
from chronos_volatility.report import drawings
from chronos_volatility.report.facts import SURE, Facts, forecast_in_words, models, title
from chronos_volatility.report.regimes import regimes


def render(facts: Facts) -> str:
    """Return the page."""
    template = (
        resources.files("chronos_volatility.report").joinpath("templates/report.html.j2").read_text(encoding="utf-8")
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "signed": signed}
    rows = models(facts)
    group, regime_rows = regimes(facts)
    shares = intervals.calibration(facts.walk["y"].to_numpy(), facts.bounds)
    covered = feature_set.coverage(facts.features)
    used = facts.model.forecaster.names if facts.model else ()
    return environment.from_string(template).render(
        style=style(),
        facts=facts,
        forecast=forecast_in_words(facts),
        rows=rows,
        verdict=verdict(facts),
        own=next(row for row in rows if row["name"] == facts.shown),
        base=next(row for row in rows if row["name"] == BENCHMARK.name),
        shown=title(facts.run, facts.shown),
        group=group,
        regimes=regime_rows,
        coverage=shares["0.9"] - shares["0.1"],
        recent=drawings.recent(facts),
        whole=drawings.whole(facts),
        calibration=drawings.calibration(facts),
        drivers=drawings.drivers(facts),
        groups=drawings.GROUPS,
        features=[(feature_set.TITLES[name], name, share, name in used) for name, share in covered.items()],
        first=str(facts.walk["date"].iloc[0].date()),
        last=str(facts.walk["date"].iloc[-1].date()),
    )


def verdict(facts: Facts) -> tuple[bool, str]:
    """Return whether the shown model is better than scaled RV20 beyond doubt, and that in a sentence."""
    row = next(one for one in models(facts) if one["name"] == BENCHMARK.name)
    own = facts.run.scores[facts.shown]
    base = facts.run.scores[BENCHMARK.name]
    better = gain(own["qlike"], base["qlike"])
    t = row["t"] if row["t"] is not None else 0.0
    name = title(facts.run, facts.shown)
    sessions = f"{len(facts.walk):,} sessions"
    if t > SURE:
        return (
            True,
            f"{name} forecasts {percent(better)} better than the volatility of the last 20 sessions, over {sessions} (QLIKE; t {t:.1f}).",
        )
    if t < -SURE:
        return (
            False,
            f"{name} forecasts {percent(-better)} worse than the volatility of the last 20 sessions, over {sessions} (QLIKE; t {t:.1f}).",
        )
    return False, (
        f"Over {sessions} {name} cannot be told from the volatility of the last 20 sessions (QLIKE {signed(better, 0)}; t {t:.1f})."
    )


def percent(value: float | None, digits: int = 0) -> str:
    """Return 0.25 as 25 %; a dash for None."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def signed(value: float | None, digits: int = 1) -> str:
    """Return 0.25 as +25.0 %, with a minus sign that is one; a dash for None."""
    return "–" if value is None else f"{100 * value:+.{digits}f} %".replace("-", "−")
