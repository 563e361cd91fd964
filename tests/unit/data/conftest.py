"""Small panels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


def daily_panel(items: int = 3, days: int = 90, start: str = "2020-01-15") -> pd.DataFrame:
    """Return a weekly pattern with noise; the same for the same arguments."""
    generator = np.random.default_rng(0)
    stamps = pd.date_range(start, periods=days, freq="D")
    frames = [
        pd.DataFrame(
            {
                "item_id": f"s{i}",
                "timestamp": stamps,
                "target": 10.0 * (i + 1) + np.arange(days) % 7 + generator.normal(size=days),
            }
        )
        for i in range(items)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def panel() -> pd.DataFrame:
    return daily_panel()
