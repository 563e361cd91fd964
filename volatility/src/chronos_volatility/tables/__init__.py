"""The seven tables: their contracts, and how partitions are written and read."""

from chronos_volatility.tables.partitions import (
    days,
    is_synthetic,
    last_day,
    read,
    refresh_snapshot,
    refuse_synthetic,
    write,
)
from chronos_volatility.tables.schemas import (
    FEATURES,
    LABELS,
    MACRO_ALIGNED,
    MARKET_DAILY,
    PREDICTIONS,
    RAW_MACRO,
    RAW_MARKET,
    TABLES,
)

__all__ = [
    "FEATURES", "LABELS", "MACRO_ALIGNED", "MARKET_DAILY", "PREDICTIONS", "RAW_MACRO", "RAW_MARKET", "TABLES",
    "days", "is_synthetic", "last_day", "read", "refresh_snapshot", "refuse_synthetic", "write",
]  # fmt: skip
