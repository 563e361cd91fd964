"""What a model is fitted on, kept as an artifact that is named by its content: features, and the labels that are known.

A day costs a day: the tables are read through their snapshots (`snapshots.py`), which their own steps renew when they lag, so
a training reads one object and the partitions that are newer or corrected since then.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from chronos_training.core.errors import DataError
from chronos_volatility import settings as settings_of
from chronos_volatility.calendar import get_calendar
from chronos_volatility.settings import OFFLINE
from chronos_volatility.storage import Storage
from chronos_volatility.tables.encoding import read_parquet, to_arrow
from chronos_volatility.tables.partitions import read
from chronos_volatility.tables.schemas import FEATURES, HORIZON, LABELS, contract


@dataclass(frozen=True)
class TrainingSet:
    """Rows for fitting. No label ends after `cut`; `digest` names the content and the artifact."""

    frame: pd.DataFrame
    """date, feature_set_version, the features (float64, null where a source is missing), rv_5d; sorted by date."""
    target: str
    cut: pd.Timestamp
    """The last session whose close was known."""
    digest: str
    """sha256 (hex) of target and rows."""
    synthetic: bool = False

    @property
    def feature_names(self) -> list[str]:
        """The names of the feature columns, in order."""
        return [name for name in self.frame.columns if name not in {"date", "feature_set_version", "rv_5d"}]


def build(
    storage: Storage,
    *,
    cut: date | str | None = None,
    first: date | str | None = None,
    as_of: datetime | None = None,
) -> TrainingSet:
    """Return the training set of features and labels up to `cut` (default: the last session with features), and store it.

    A session t is in it when t + 5 is not after `cut`: its label is of returns that were known then. `as_of` takes the tables
    as they were at that moment. The same rows give the same digest, and are stored once. DataError when there are none.
    """
    features = read(storage, FEATURES, first=first, last=cut, as_of=as_of)
    labels = read(storage, LABELS, first=first, last=cut, as_of=as_of)
    if features.empty:
        raise DataError(f"{storage.url} has no features.", hint="Run `volatility features` first.")
    settings = settings_of.stored(storage) or OFFLINE
    calendar = get_calendar(settings.calendar, settings.closed)
    end = calendar.at_or_before(cut if cut is not None else features["date"].iloc[-1])
    known = calendar.after(end, -HORIZON)
    frame = features.merge(labels[labels["date"] <= known], on="date", how="inner", validate="one_to_one")
    if frame.empty:
        raise DataError(f"{storage.url} has no session with features and a label up to {end.date()}.",
                        hint="Run `volatility labels` first.")  # fmt: skip
    made_up = bool(features.attrs["synthetic"] or labels.attrs["synthetic"])
    found = TrainingSet(frame, settings.target, end, _digest(settings.target, frame), made_up)
    _store(storage, found)
    return found


def load(storage: Storage, digest: str) -> TrainingSet:
    """Return the stored training set of this digest. DataError when there is none, or it is damaged."""
    key = _key(digest)
    body = storage.read(key)
    if body is None:
        raise DataError(f"{storage.url}/{key} is missing: the training set {digest[:8]} was not stored here.")
    try:
        table = read_parquet(body)
        target, cut, made_up = (table.schema.metadata[name].decode() for name in (b"target", b"cut", b"synthetic"))
        frame = table.replace_schema_metadata(None).to_pandas()
        frame["date"] = pd.to_datetime(frame["date"])
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise DataError(f"{storage.url}/{key} is not a training set that this program wrote: {error}.") from error
    if _digest(target, frame) != digest:
        raise DataError(f"{storage.url}/{key} has other rows than its name tells.", code="checksum_mismatch")
    return TrainingSet(frame, target, pd.Timestamp(cut), digest, made_up == "true")


def _store(storage: Storage, found: TrainingSet) -> None:
    key = _key(found.digest)
    if storage.read(key) is not None:
        return
    settings = settings_of.stored(storage) or OFFLINE
    table = to_arrow(contract(FEATURES, settings), found.frame)
    about = {"target": found.target, "cut": found.cut.date().isoformat(), "synthetic": str(found.synthetic).lower()}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(about), sink, compression="zstd")
    storage.create_many([(key, sink.getvalue().to_pybytes())])


def _digest(target: str, frame: pd.DataFrame) -> str:
    found = hashlib.sha256(f"{target} {' '.join(frame.columns)}".encode())
    for name in frame.columns:
        values = frame[name]
        if values.dtype == object:
            found.update("\n".join(values).encode())
        else:
            found.update(values.to_numpy().astype("datetime64[D]" if name == "date" else "float64").tobytes())
    return found.hexdigest()


def _key(digest: str) -> str:
    return f"training_sets/{digest[:16]}.parquet"
