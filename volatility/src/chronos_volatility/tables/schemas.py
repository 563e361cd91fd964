"""The seven tables. All are strict: a column more or less is a breach, on writing and on reading."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from chronos_training.core.errors import ConfigurationError
from chronos_volatility.calendar import get_calendar
from chronos_volatility.features import feature_set
from chronos_volatility.settings import VOLATILITY_INDEXES, Settings
from chronos_volatility.tables.contract import Contract, Rule, number, word

RAW_MARKET = "raw.market"
MARKET_DAILY = "curated.market_daily"
RAW_MACRO = "raw.macro"
MACRO_ALIGNED = "curated.macro_release_aligned"
FEATURES = "features_daily"
LABELS = "labels_daily"
PREDICTIONS = "predictions_daily"
TABLES = (RAW_MARKET, MARKET_DAILY, RAW_MACRO, MACRO_ALIGNED, FEATURES, LABELS, PREDICTIONS)

SESSIONS_A_YEAR = 252
HORIZON = 5  # sessions of the forecast
VIX_RANGE = (5.0, 150.0)  # 8.56 and 89.53 are the extremes of 1990-2026
# The VIX rose by 77 % (log) on 2018-02-05, its most since 1990.
MAX_ABS_RET_OF_INDEX = 1.5

_DAY, _TEXT, _FLOAT = pa.date32(), pa.string(), pa.float64()
_MOMENT = pa.timestamp("us", tz="UTC")
_DRIVER = pa.struct([("feature", _TEXT), ("value", _FLOAT), ("contribution", _FLOAT)])
PRICES = ("open", "high", "low", "close")

_HINT = "It may be a split that the source has not told. If it is true, raise max_abs_ret with --settings."

_POSITIVE = pandera.Check.gt(0, error="is not positive")
_NOT_NEGATIVE = pandera.Check.ge(0, error="is negative")


@lru_cache(maxsize=64)
def contract(table: str, settings: Settings) -> Contract:
    """Return the contract of `table`. ConfigurationError when there is no such table."""
    if table not in TABLES:
        raise ConfigurationError(f"There is no table {table!r}.", hint=f"There are: {', '.join(TABLES)}.")
    makers = {RAW_MARKET: _raw_market, MARKET_DAILY: _market_daily, RAW_MACRO: _raw_macro, MACRO_ALIGNED: _macro_aligned,
              FEATURES: _features, LABELS: _labels, PREDICTIONS: _predictions}  # fmt: skip
    return makers[table](settings)


def _raw_market(settings: Settings) -> Contract:
    return Contract(
        RAW_MARKET,
        ("date", "symbol"),
        {"date": _DAY, "symbol": _TEXT, **dict.fromkeys(PRICES, _FLOAT), "volume": _FLOAT, "dividend": _FLOAT,
         "split": _FLOAT, "source": _TEXT, "fetched_at": _MOMENT},
        {
            "date": _session(settings),
            "symbol": word(),
            **{name: number(_POSITIVE) for name in PRICES},
            "volume": number(_NOT_NEGATIVE, nullable=True),
            "dividend": number(_NOT_NEGATIVE),
            "split": number(_POSITIVE),
            "source": word(),
            "fetched_at": pandera.Column(pd.DatetimeTZDtype("ns", "UTC")),
        },
        _price_rules(),
        unhashed=frozenset({"fetched_at"}),
    )  # fmt: skip


def _market_daily(settings: Settings) -> Contract:
    limit = settings.max_abs_ret

    def bounded(frame: pd.DataFrame) -> pd.Series:
        return _is_index(frame) | frame["ret"].isna() | (frame["ret"].abs() < limit)

    def index_bounded(frame: pd.DataFrame) -> pd.Series:
        return ~_is_index(frame) | frame["ret"].isna() | (frame["ret"].abs() < MAX_ABS_RET_OF_INDEX)

    return Contract(
        MARKET_DAILY,
        ("date", "symbol"),
        {"date": _DAY, "symbol": _TEXT, **dict.fromkeys(PRICES, _FLOAT), "adj_close": _FLOAT, "ret": _FLOAT},
        {
            "date": _session(settings),
            "symbol": word(),
            **{name: number(_POSITIVE) for name in PRICES},
            "adj_close": number(_POSITIVE),
            "ret": number(nullable=True),  # a symbol's first session has no close before it
        },
        (
            *_price_rules(),
            Rule(f"the return is not within ±{limit:g}", ("ret",), bounded, _HINT),
            Rule(f"a volatility index changes by more than {MAX_ABS_RET_OF_INDEX:g}", ("ret",), index_bounded),
        ),
    )


def _raw_macro(_: Settings) -> Contract:
    late = Rule(
        "is released before the period it is of", ("released_at",), lambda frame: frame["released_at"] >= frame["date"]
    )
    return Contract(
        RAW_MACRO,
        ("date", "series", "released_at"),
        {"date": _DAY, "series": _TEXT, "value": _FLOAT, "released_at": _DAY},
        {"date": _day(), "series": word(), "value": number(), "released_at": _day()},
        (late,),
    )


def _macro_aligned(settings: Settings) -> Contract:
    known = Rule("was not known at the close", ("released_at",), lambda frame: frame["released_at"] < frame["date"])
    return Contract(
        MACRO_ALIGNED,
        ("date", "series"),
        {"date": _DAY, "series": _TEXT, "value": _FLOAT, "released_at": _DAY},
        {"date": _session(settings), "series": word(), "value": number(), "released_at": _day()},
        (known,),
    )


def _features(settings: Settings) -> Contract:
    def whole(frame: pd.DataFrame) -> pd.Series:
        present = frame["feature_set_version"] == feature_set.VERSION
        names = set(frame.columns) - {"date", "feature_set_version"}
        # Beside rows of an older set, a table has the columns of both.
        right = names == set(feature_set.NAMES) if present.all() else names >= set(feature_set.NAMES)
        return ~present | right

    return Contract(
        FEATURES,
        ("date",),
        {"date": _DAY, "feature_set_version": _TEXT},
        {"date": _session(settings), "feature_set_version": word()},
        (Rule(f"has not the features of set {feature_set.VERSION}", ("feature_set_version",), whole),),
        further=lambda: number(nullable=True),
    )


def _labels(settings: Settings) -> Contract:
    sensible = pandera.Check.lt(settings.max_abs_ret * np.sqrt(HORIZON), error="is more than five largest returns give")
    return Contract(
        LABELS,
        ("date",),
        {"date": _DAY, "rv_5d": _FLOAT},
        {"date": _session(settings), "rv_5d": number(_NOT_NEGATIVE, sensible)},
    )


def _predictions(settings: Settings) -> Contract:
    def scaled(frame: pd.DataFrame) -> pd.Series:
        wanted = frame["rv_5d_hat"] * np.sqrt(SESSIONS_A_YEAR / HORIZON)
        return (frame["annualized"] / wanted - 1).abs() < 1e-9

    names = pandera.Check(lambda values: values.map(_are_names), error="is not a list of names")
    drivers = pandera.Check(
        lambda values: values.map(_are_drivers), error="is not a list of feature, value, contribution"
    )
    return Contract(
        PREDICTIONS,
        ("date",),
        {"date": _DAY, "rv_5d_hat": _FLOAT, "annualized": _FLOAT, "top_drivers": pa.list_(_TEXT),
         "drivers": pa.list_(_DRIVER), "model_version": _TEXT, "features_sha": _TEXT, "regime": _TEXT},
        {
            "date": _session(settings),
            "rv_5d_hat": number(_POSITIVE, pandera.Check.lt(1, error="is 1 or more")),
            "annualized": number(_POSITIVE),
            "top_drivers": pandera.Column(object, names),
            "drivers": pandera.Column(object, drivers),
            "model_version": word(),
            "features_sha": word(),
            "regime": pandera.Column(object, pandera.Check(lambda values: values.isna(), error="is not null", ignore_na=False), nullable=True),
        },
        (Rule("annualized is not rv_5d_hat·sqrt(252/5)", ("annualized", "rv_5d_hat"), scaled),),
    )  # fmt: skip


def _session(settings: Settings) -> pandera.Column:
    calendar = get_calendar(settings.calendar, settings.closed)
    check = pandera.Check(lambda values: pd.Series(calendar.are_sessions(values), values.index),
                          error=f"is not a session of {settings.calendar}")  # fmt: skip
    return pandera.Column("datetime64[ns]", check)


def _day() -> pandera.Column:
    whole = pandera.Check(lambda values: values == values.dt.normalize(), error="is not a whole day")
    return pandera.Column("datetime64[ns]", whole)


def _is_index(frame: pd.DataFrame) -> pd.Series:
    return frame["symbol"].isin(VOLATILITY_INDEXES)


def _price_rules() -> tuple[Rule, ...]:
    def not_above(lower: str, upper: str) -> Rule:
        return Rule(f"{lower} is above {upper}", (lower, upper), lambda frame: frame[lower] <= frame[upper])

    def plausible(frame: pd.DataFrame) -> pd.Series:
        prices = frame[list(PRICES)]
        return ~_is_index(frame) | ((prices > VIX_RANGE[0]) & (prices < VIX_RANGE[1])).all(axis=1)

    return (
        not_above("low", "open"), not_above("low", "close"), not_above("low", "high"),
        not_above("open", "high"), not_above("close", "high"),
        Rule("a volatility index is not within (5, 150)", PRICES, plausible),
    )  # fmt: skip


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one for one in value)


def _are_drivers(value: object) -> bool:
    wanted = {"feature", "value", "contribution"}
    return isinstance(value, list) and all(isinstance(one, dict) and one.keys() == wanted for one in value)
