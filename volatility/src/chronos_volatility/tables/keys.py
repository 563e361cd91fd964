"""The names of partitions: `<table>/date=YYYY-MM-DD/<seq>-<digest>.parquet`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from itertools import takewhile

from chronos_volatility.storage import Storage

_KEY = re.compile(r"^(?P<table>[^/]+)/date=(?P<day>\d{4}-\d\d-\d\d)/(?P<seq>\d{4,})-(?P<digest>[0-9a-f]{8})\.parquet$")


@dataclass(frozen=True)
class PartitionKey:
    """A partition: the `seq`-th version (from 0) of a day's rows, which `digest` tells apart."""

    table: str
    day: date
    seq: int
    digest: str

    def __str__(self) -> str:
        return f"{self.table}/date={self.day.isoformat()}/{self.seq:04d}-{self.digest}.parquet"


def list_partitions(
    storage: Storage, table: str, first: date | None, last: date | None
) -> dict[date, list[PartitionKey]]:
    """Return the partitions of each day from `first` to `last`, both counted in, the highest seq first.

    What has another name is no partition, and is left out. A range lists what its common prefix has: a month costs a month.
    """
    stem = f"{table}/date="
    pairs = zip(str(first), str(last), strict=True) if first and last else ()
    common = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    after = f"{stem}{first}" if first else ""
    found: dict[date, list[PartitionKey]] = {}
    for key in storage.keys(stem + common, after=after):
        match = _KEY.match(key)
        if match is None:
            continue
        day = date.fromisoformat(match["day"])
        if last is None or day <= last:
            found.setdefault(day, []).append(PartitionKey(table, day, int(match["seq"]), match["digest"]))
    for keys in found.values():
        keys.sort(key=lambda one: one.seq, reverse=True)
    return found


def newest_versions(storage: Storage, table: str) -> dict[str, int]:
    """Return the highest seq of each day (YYYY-MM-DD) that has a partition, in order of days.

    What `list_partitions` tells of all days, without making an object for each of thousands.
    """
    begin = len(table) + len("/date=")
    end = begin + len("YYYY-MM-DD")
    found: dict[str, int] = {}
    for key in storage.keys(f"{table}/date="):  # sorted, so the highest seq of a day comes last
        if (seq := key[end + 1 :].partition("-")[0]).isdigit() and key.endswith(".parquet"):
            found[key[begin:end]] = int(seq)
    return found
