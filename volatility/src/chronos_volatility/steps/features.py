"""`volatility features`: the features of the sessions that have none yet, into features_daily."""

from __future__ import annotations

import argparse

import pandas as pd

from chronos_volatility import settings as settings_of
from chronos_volatility import tables
from chronos_volatility.features import feature_set
from chronos_volatility.features.derived import Derivation, bring_up_to_date
from chronos_volatility.steps.options import add_common, now_of, storage_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this step."""
    add_common(parser)
    parser.add_argument("--reason", help="why all sessions are computed again; those that differ are corrected")


def run(options: argparse.Namespace) -> int:
    """Compute and store, and say what was done."""
    storage, now = storage_of(options), now_of(options)
    settings = settings_of.of(storage)

    def compute(market: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
        return feature_set.compute(market, target=settings.target, first=first, calendar=settings.calendar)

    derivation = Derivation(tables.FEATURES, compute, feature_set.LOOKBACK, 0)
    everything = options.reason
    last = tables.last_day(storage, tables.FEATURES, now)
    if last is not None and everything is None:
        stored = tables.read(storage, tables.FEATURES, first=last, last=last)["feature_set_version"].iloc[0]
        if stored != feature_set.VERSION:
            everything = f"feature set {feature_set.VERSION} in place of {stored}"
    outcome = bring_up_to_date(storage, derivation, now=now, everything=everything)
    print(f"{tables.FEATURES}: {len(outcome.new):,} sessions written, {len(outcome.corrected):,} corrected")
    return 0
