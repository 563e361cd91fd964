"""Small tables, and a storage that dies at its n-th write."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import pytest

from chronos_volatility.storage import FolderStorage

NOW = datetime(2018, 12, 10, 12, tzinfo=timezone.utc)


class Killed(BaseException):
    """The process ends here: nothing catches it."""


class DyingStorage(FolderStorage):
    """Dies before its `writes`-th write from now."""

    def __init__(self, folder: Path, writes: int) -> None:
        super().__init__(folder)
        self.left = writes

    def create(self, key: str, body: bytes) -> bool:
        if self.left == 0 and self.read(key) is None:
            raise Killed
        written = super().create(key, body)
        self.left -= written
        return written


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "data")


def market(*rows: tuple[str, str, float]) -> pd.DataFrame:
    """curated.market_daily with (date, symbol, close) and a range of a percent around it."""
    frame = pd.DataFrame(rows, columns=["date", "symbol", "close"]).astype({"close": float})
    frame["date"] = pd.to_datetime(frame["date"])
    frame = frame.assign(open=frame["close"], high=frame["close"] * 1.01, low=frame["close"] * 0.99)
    return frame.assign(adj_close=frame["close"], ret=0.01)


def raw(*rows: tuple[str, str, float]) -> pd.DataFrame:
    """raw.market likewise, fetched at NOW."""
    frame = market(*rows).drop(columns=["adj_close", "ret"])
    fetched = pd.Series(pd.Timestamp(NOW), frame.index, dtype="datetime64[ns, UTC]")
    return frame.assign(volume=1e6, dividend=0.0, split=1.0, source="file", fetched_at=fetched)


def labels(*rows: tuple[str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["date", "rv_5d"])
    return frame.assign(date=pd.to_datetime(frame["date"]))


def predictions(date: str = "2018-12-07", **changes: object) -> pd.DataFrame:
    row = {
        "date": pd.Timestamp(date),
        "rv_5d_hat": 0.02,
        "annualized": 0.02 * (252 / 5) ** 0.5,
        "top_drivers": ["vix"],
        "drivers": [{"feature": "vix", "value": 1.0, "contribution": 0.5}],
        "model_version": "m1",
        "features_sha": "ab",
        "regime": None,
        **changes,
    }
    return pd.DataFrame([row]).astype({"regime": object})
