"""`volatility train`: fit the candidates, and forecast the past walk-forward. The gate decides what becomes of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from chronos_training.core.errors import ConfigurationError
from chronos_volatility import settings as settings_of
from chronos_volatility.calendar import get_calendar
from chronos_volatility.features import feature_set
from chronos_volatility.features.verify import require_point_in_time
from chronos_volatility.models import chronos, training
from chronos_volatility.models.design import design_of
from chronos_volatility.models.leaks import require_known_labels
from chronos_volatility.models.specifications import BENCHMARK, BY_NAME, CANDIDATES, Specification
from chronos_volatility.steps.options import add_common, storage_of
from chronos_volatility.storage import Storage
from chronos_volatility.tables import training_sets
from chronos_volatility.tables.training_sets import TrainingSet


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this step."""
    add_common(parser)
    parser.add_argument("--until", metavar="DATE", help="the last session that may be known (default: the last one)")
    parser.add_argument("--first", metavar="DATE", help="the first walk-forward forecast (default: after four years)")
    names = ", ".join(one.name for one in CANDIDATES)
    parser.add_argument("--candidate", action="append", metavar="NAME", help=f"only these (default: {names})")
    chosen = parser.add_argument_group("forecasts of a training run, as one more candidate (off by default)")
    chosen.add_argument("--chronos-run", metavar="RUN_ID", help="the run that made them")
    chosen.add_argument("--chronos-forecasts", type=Path, metavar="FILE", help="what `chronos-training forecast` wrote")
    chosen.add_argument("--chronos-until", metavar="DATE", help="the last day that the run was trained on")
    chosen.add_argument(
        "--write-series",
        type=Path,
        metavar="FILE",
        help="only write the series to forecast, those from --first on (.csv or .parquet)",
    )


def run(options: argparse.Namespace) -> int:
    """Train, and say how the candidates did."""
    storage = storage_of(options)
    training_set = training_sets.build(storage, cut=options.until)
    _require_known(storage, training_set)
    if options.write_series is not None:
        return _write_series(options, training_set)
    found, new = training.train(storage, training_set, _candidates(options, training_set), first=options.first)
    print(
        f"training {found.name}: {found.sessions:,} sessions to {found.cut}, {'stored' if new else 'was there already'}"
    )
    for name, score in found.scores.items():
        version = found.versions.get(name, "")
        print(f"  {name:18} RMSE {score['rmse']:.5f}  QLIKE {score['qlike']:.4f}  {version}".rstrip())
    for name, names in found.features.items():
        print(f"  {name} uses {', '.join(names)}")
    if found.synthetic:
        print("  The prices are synthetic: they are never scored.")
    return 0


def _candidates(options: argparse.Namespace, training_set: TrainingSet) -> list[Specification]:
    """Return the candidates that the options name. ConfigurationError."""
    names = options.candidate or [one.name for one in CANDIDATES]
    for name in names:
        if name not in BY_NAME or name == BENCHMARK.name:
            raise ConfigurationError(f"There is no candidate {name!r}.", hint=f"There are: {', '.join(BY_NAME)}.")
    found = [BY_NAME[name] for name in names]
    brought_in = (options.chronos_run, options.chronos_forecasts, options.chronos_until)
    if any(one is None for one in brought_in) and any(one is not None for one in brought_in):
        raise ConfigurationError("--chronos-run, --chronos-forecasts and --chronos-until belong together.")
    if options.chronos_run is not None:
        design = design_of(training_set)
        brought = chronos.read(
            options.chronos_forecasts, options.chronos_run, design, trained_until=options.chronos_until
        )
        found.append(chronos.specification(brought, design))
    return found


def _write_series(options: argparse.Namespace, training_set: TrainingSet) -> int:
    """Write the series that a training run is to forecast. ConfigurationError without --first."""
    if options.first is None:
        raise ConfigurationError("--write-series needs --first, the first session to forecast.")
    table = chronos.series(design_of(training_set), options.first)
    path: Path = options.write_series
    if path.suffix not in {".csv", ".parquet"}:
        raise ConfigurationError(f"--write-series {path}: the series are written as .csv or .parquet.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            table.to_csv(path, index=False)
        else:
            table.to_parquet(path, index=False)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror or error}.") from error
    print(f"{options.write_series}: {table['item_id'].nunique():,} series; columns {', '.join(table.columns)}")
    return 0


def _require_known(storage: Storage, training_set: TrainingSet) -> None:
    """Refuse labels that end after the cut, and features that know later prices, whatever made the training set."""
    settings = settings_of.of(storage)
    calendar = get_calendar(settings.calendar, settings.closed)
    last = training_set.frame["date"].iloc[-1]
    dates = training_set.frame["date"].to_numpy()
    require_known_labels(dates, str(training_set.cut.date()), lambda: calendar.distance(last, training_set.cut))
    if str(training_set.frame["feature_set_version"].iloc[-1]) == feature_set.VERSION:
        require_point_in_time(storage, settings, training_set.frame)
