"""`volatility labels`: the labels of the sessions whose five following ones have closed, into labels_daily."""

from __future__ import annotations

import argparse

import pandas as pd

from chronos_volatility import settings as settings_of
from chronos_volatility import tables
from chronos_volatility.features import labels
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
        found = labels.compute(market, target=settings.target)
        return found[found["date"] >= first]

    derivation = Derivation(tables.LABELS, compute, 0, labels.HORIZON)
    outcome = bring_up_to_date(storage, derivation, now=now, everything=options.reason)
    print(f"{tables.LABELS}: {len(outcome.new):,} sessions written, {len(outcome.corrected):,} corrected")
    return 0
