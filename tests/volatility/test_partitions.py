"""Append-only partitions: twice is once, corrections say why, the past is read as it was, a killed writer is continued."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_training.core.errors import DataError
from chronos_volatility import tables
from chronos_volatility.calendar import get_calendar
from chronos_volatility.settings import KEY, SIMULATED
from chronos_volatility.storage import FolderStorage
from chronos_volatility.tables import snapshots, training_sets
from chronos_volatility.tables.keys import newest_versions
from tests.volatility.conftest import NOW, DyingStorage, Killed, labels, market, predictions, raw

LABELS = "labels_daily"


def value(storage: FolderStorage, **options: Any) -> list[float]:
    return list(tables.read(storage, LABELS, **options)["rv_5d"])


def test_the_same_again_writes_nothing(storage: FolderStorage) -> None:
    frame = raw(("2018-12-06", "SPX", 2695.0), ("2018-12-07", "SPX", 2633.0))
    written = tables.write(storage, "raw.market", frame, now=NOW)
    assert [key.split("-")[0:3] for key in written] == [
        ["raw.market/date=2018", "12", "06/0000"],
        ["raw.market/date=2018", "12", "07/0000"],
    ]
    later = frame.assign(fetched_at=frame["fetched_at"] + pd.Timedelta(hours=13))  # when it was fetched is no content
    assert tables.write(storage, "raw.market", later, now=NOW + timedelta(hours=13)) == []
    assert storage.keys("raw.market/") == written


def test_a_difference_needs_a_reason(storage: FolderStorage) -> None:
    tables.write(storage, LABELS, labels(("2018-12-06", 0.02), ("2018-12-07", 0.03)), now=NOW)
    changed = labels(("2018-12-06", 0.02), ("2018-12-07", 0.04), ("2018-12-10", 0.05))
    with pytest.raises(DataError) as error:
        tables.write(storage, LABELS, changed, now=NOW)
    assert "labels_daily: nothing was written: row 2018-12-07: not what is stored" in str(error.value)
    assert "2018-12-07 rv_5d 0.04, stored 0.03" in str(error.value)
    assert value(storage) == [0.02, 0.03]
    written = tables.write(storage, LABELS, changed, reason="the close was late", now=NOW)
    assert [key[:34] for key in written] == ["labels_daily/date=2018-12-07/0001-", "labels_daily/date=2018-12-10/0000-"]
    assert value(storage) == [0.02, 0.04, 0.05]


def test_a_correction_can_be_taken_back(storage: FolderStorage) -> None:
    for attempt, wanted in enumerate([0.03, 0.04, 0.03]):
        written = tables.write(storage, LABELS, labels(("2018-12-07", wanted)), reason="again", now=NOW)
        assert f"/{attempt:04d}-" in written[0]
    assert value(storage) == [0.03]


def test_a_row_that_is_gone_or_late_is_a_difference(storage: FolderStorage) -> None:
    both = market(("2018-12-07", "SPX", 2633.0), ("2018-12-07", "VIX", 23.0))
    tables.write(storage, "curated.market_daily", both.head(1), now=NOW)
    with pytest.raises(DataError, match="2018-12-07 VIX is not stored"):
        tables.write(storage, "curated.market_daily", both, now=NOW)
    tables.write(storage, "curated.market_daily", both, reason="late: VIX", now=NOW)
    with pytest.raises(DataError, match="2018-12-07 VIX is stored, and missing now"):
        tables.write(storage, "curated.market_daily", both.head(1), now=NOW)


def test_the_past_is_read_as_it_was_also_in_a_copy(storage: FolderStorage, tmp_path: Path) -> None:
    monday, tuesday = NOW, NOW + timedelta(days=1)
    tables.write(storage, LABELS, labels(("2018-12-06", 0.02), ("2018-12-07", 0.03)), now=monday)
    tables.write(storage, LABELS, labels(("2018-12-07", 0.04), ("2018-12-10", 0.05)), reason="late", now=tuesday)
    shutil.copytree(storage.folder, tmp_path / "copy", copy_function=shutil.copyfile)  # with the times of now
    for place in (storage, FolderStorage(tmp_path / "copy")):
        assert value(place) == [0.02, 0.04, 0.05]
        assert value(place, as_of=tuesday + timedelta(seconds=1)) == [0.02, 0.04, 0.05]
        assert value(place, as_of=tuesday) == [0.02, 0.03]
        assert value(place, as_of=monday) == []
        assert value(place, first="2018-12-07", last="2018-12-07") == [0.04]


def test_of_two_writers_at_once_the_first_one_counts(storage: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second looked before the first had written, and gave its content the same seq."""
    tables.write(storage, LABELS, labels(("2018-12-07", 0.03)), now=NOW)
    real = FolderStorage.create_many
    first = NOW + timedelta(seconds=1)

    def beaten(self: FolderStorage, items: Any) -> list[str]:
        monkeypatch.setattr(FolderStorage, "create_many", real)
        tables.write(FolderStorage(storage.folder), LABELS, labels(("2018-12-07", 0.04)), reason="first", now=first)
        return real(self, items)

    monkeypatch.setattr(FolderStorage, "create_many", beaten)
    written = tables.write(
        storage, LABELS, labels(("2018-12-07", 0.05)), reason="second", now=first + timedelta(seconds=1)
    )
    assert ["/0001-" in written[0], "/0002-" in written[1]] == [True, True]
    assert value(storage) == [0.05]
    (storage.folder / written[1]).unlink()  # as it is before the second has looked after itself
    assert value(storage) == [0.04]


def test_the_second_of_two_writers_without_a_reason_is_refused(
    storage: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FolderStorage.create_many

    def beaten(self: FolderStorage, items: Any) -> list[str]:
        monkeypatch.setattr(FolderStorage, "create_many", real)
        tables.write(FolderStorage(storage.folder), LABELS, labels(("2018-12-07", 0.04)), now=NOW)
        return real(self, items)

    monkeypatch.setattr(FolderStorage, "create_many", beaten)
    with pytest.raises(DataError, match=r"2018-12-07 rv_5d 0\.05, stored 0\.04"):
        tables.write(storage, LABELS, labels(("2018-12-07", 0.05)), now=NOW + timedelta(seconds=1))
    assert value(storage) == [0.04]


def test_two_writers_of_the_same_content_write_it_once(storage: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = FolderStorage.create_many

    def beaten(self: FolderStorage, items: Any) -> list[str]:
        monkeypatch.setattr(FolderStorage, "create_many", real)
        tables.write(FolderStorage(storage.folder), LABELS, labels(("2018-12-07", 0.04)), now=NOW)
        return real(self, items)

    monkeypatch.setattr(FolderStorage, "create_many", beaten)
    assert tables.write(storage, LABELS, labels(("2018-12-07", 0.04)), now=NOW + timedelta(seconds=1)) == []
    assert len(storage.keys(LABELS)) == 1


def test_killed_at_every_write_the_next_run_completes_it(tmp_path: Path) -> None:
    days = [f"2018-11-{day:02d}" for day in (1, 2, 5, 6, 7, 8)]
    before, after = labels(*((day, 0.02) for day in days[:3])), labels(*((day, 0.03) for day in days))
    for writes in range(len(days) + 1):
        folder = tmp_path / str(writes)
        tables.write(FolderStorage(folder), LABELS, before, now=NOW)
        dying = DyingStorage(folder, writes)
        try:
            tables.write(dying, LABELS, after, reason="better", now=NOW)
            assert writes == len(days)
        except Killed:
            seen = value(FolderStorage(folder))
            assert set(seen) <= {0.02, 0.03} and len(seen) >= 3
        tables.write(FolderStorage(folder), LABELS, after, reason="better", now=NOW)
        assert value(FolderStorage(folder)) == [0.03] * 6
        assert len(FolderStorage(folder).keys(LABELS)) == 9


@pytest.mark.parametrize(("damage", "words"), [
    (b"", "is not a partition that this program wrote"),
    (b"PAR1 and then nothing", "is not a partition that this program wrote"),
    (None, "does not have the rows that its name tells"),
])  # fmt: skip
def test_a_damaged_partition_is_refused(storage: FolderStorage, damage: bytes | None, words: str) -> None:
    keys = tables.write(storage, LABELS, labels(("2018-12-06", 0.02), ("2018-12-07", 0.03)), now=NOW)
    other = (storage.folder / keys[1]).read_bytes()
    (storage.folder / keys[0]).write_bytes(other if damage is None else damage)
    with pytest.raises(DataError, match=words) as error:
        tables.read(storage, LABELS)
    assert keys[0] in str(error.value)


def test_a_moment_beyond_nanoseconds_is_refused(storage: FolderStorage) -> None:
    """One flipped bit makes a day of the year 336376 out of a moment, and no digest covers when a price was fetched."""
    frame = raw(("2018-12-07", "SPX", 2633.0), ("2018-12-07", "VIX", 23.0))
    path = storage.folder / tables.write(storage, "raw.market", frame, now=NOW)[0]
    body = path.read_bytes()
    moment = int(NOW.timestamp() * 1_000_000)
    assert body.count(moment.to_bytes(8, "little")) == 2
    path.write_bytes(body.replace(moment.to_bytes(8, "little"), (moment | 1 << 53).to_bytes(8, "little")))
    with pytest.raises(DataError, match=path.name):
        tables.read(storage, "raw.market")


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_whatever_befalls_a_file_it_is_read_as_it_was_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    storage = FolderStorage(tmp_path_factory.mktemp("data"))
    frame = raw(("2018-12-07", "SPX", 2633.0), ("2018-12-07", "VIX", 23.0))
    path = storage.folder / tables.write(storage, "raw.market", frame, now=NOW)[0]
    body = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        body = body[: data.draw(st.integers(0, len(body)))]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(body)
    try:
        found = tables.read(storage, "raw.market")
    except DataError as error:
        assert path.name in str(error)
    else:
        pd.testing.assert_frame_equal(
            found.drop(columns="fetched_at"), frame.drop(columns="fetched_at"), check_like=True
        )


def test_other_files_are_no_partitions(storage: FolderStorage) -> None:
    tables.write(storage, LABELS, labels(("2018-12-07", 0.03)), now=NOW)
    for name in ("_SUCCESS", "0001-nothex00.parquet", "0001-abcdef01.csv"):
        (storage.folder / LABELS / "date=2018-12-07" / name).touch()
    assert value(storage) == [0.03]


def many(count: int) -> pd.DataFrame:
    days = get_calendar().sessions("1990-01-02", "2018-12-07")[-count:]
    return pd.DataFrame({"date": days, "rv_5d": np.linspace(0.01, 0.05, count)})


class CountingStorage(FolderStorage):
    reads = 0

    def read(self, key: str) -> bytes | None:
        self.reads += 1
        return super().read(key)


def test_a_long_table_is_read_from_its_snapshot_and_what_came_since(storage: FolderStorage) -> None:
    frame = many(400)
    tables.write(storage, LABELS, frame.head(390), now=NOW)
    assert len(storage.keys("snapshots/labels_daily/")) == 1
    tables.write(storage, LABELS, frame.tail(10), now=NOW + timedelta(days=1))
    tables.write(storage, LABELS, frame.iloc[5:6].assign(rv_5d=0.5), reason="wrong", now=NOW + timedelta(days=2))
    counting = CountingStorage(storage.folder)
    found = tables.read(counting, LABELS)
    assert counting.reads == 1 + 1 + 11  # settings, snapshot, ten newer days and the corrected one
    pd.testing.assert_frame_equal(found, frame.assign(rv_5d=frame["rv_5d"].where(frame.index != 5, 0.5)))
    pd.testing.assert_frame_equal(tables.read(storage, LABELS, as_of=NOW + timedelta(hours=1)), frame.head(390))
    for key in storage.keys("snapshots/"):
        (storage.folder / key).write_bytes(b"damaged")
    pd.testing.assert_frame_equal(tables.read(storage, LABELS), found)


def test_a_writer_killed_before_its_snapshot_makes_it_next_time(storage: FolderStorage) -> None:
    frame = many(300)
    with pytest.raises(Killed):
        tables.write(DyingStorage(storage.folder, 300), LABELS, frame, now=NOW)
    assert not snapshots.load(storage, LABELS)
    assert tables.write(storage, LABELS, frame, now=NOW) == []
    assert len(snapshots.load(storage, LABELS)) == 300


def test_features_of_another_set_have_nulls_where_a_column_is_new(storage: FolderStorage) -> None:
    old = pd.DataFrame({"date": pd.to_datetime(["2018-12-06"]), "feature_set_version": "0", "a": 1.0})
    new = pd.DataFrame({"date": pd.to_datetime(["2018-12-07"]), "feature_set_version": "00", "a": 2.0, "b": 3.0})
    tables.write(storage, "features_daily", old, now=NOW)
    tables.write(storage, "features_daily", new, now=NOW)
    found = tables.read(storage, "features_daily")
    assert found["b"].isna().tolist() == [True, False] and list(found["a"]) == [1.0, 2.0]


def test_predictions_keep_their_lists(storage: FolderStorage) -> None:
    tables.write(storage, "predictions_daily", predictions(), now=NOW)
    found = tables.read(storage, "predictions_daily").iloc[0]
    assert found["drivers"] == [{"feature": "vix", "value": 1.0, "contribution": 0.5}]
    assert found["top_drivers"] == ["vix"] and found["regime"] is None


def test_made_up_data_is_marked_and_refused(storage: FolderStorage) -> None:
    storage.create(KEY, SIMULATED.to_json())
    tables.write(storage, LABELS, labels(("2018-12-07", 0.03)), now=NOW)
    frame = tables.read(storage, LABELS)
    for what in (storage, frame, raw(("2018-12-07", "SPX", 1.0)).assign(source="synthetic")):
        with pytest.raises(DataError, match=r"made up by the generator, and must not be scored"):
            tables.refuse_synthetic(what, "scored")
    (storage.folder / KEY).unlink()  # a copy without the settings
    assert tables.read(storage, LABELS).attrs["synthetic"]
    assert not tables.is_synthetic(storage)
    tables.refuse_synthetic(raw(("2018-12-07", "SPX", 1.0)), "scored")


def feature_rows(days: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame({"date": days, "feature_set_version": "0", "ret_1": np.arange(len(days)) / 1000})


def test_a_training_set_has_no_label_that_ends_after_its_cut(storage: FolderStorage) -> None:
    frame = many(300)
    tables.write(storage, LABELS, frame, now=NOW)
    tables.write(storage, "features_daily", feature_rows(pd.DatetimeIndex(frame["date"])), now=NOW)
    whole = training_sets.build(storage)
    assert whole.frame["date"].iloc[-1] == get_calendar().after(whole.cut, -5)
    early = training_sets.build(storage, cut="2018-11-30")
    assert early.frame["date"].iloc[-1] == pd.Timestamp("2018-11-23") and early.feature_names == ["ret_1"]
    assert training_sets.build(storage).digest == whole.digest != early.digest
    again = training_sets.load(storage, early.digest)
    pd.testing.assert_frame_equal(again.frame, early.frame)
    assert (again.target, again.cut, again.digest) == ("SPX", early.cut, early.digest)
    assert len(storage.keys("training_sets/")) == 2
    key = storage.keys("training_sets/")[0]
    other = storage.keys("training_sets/")[1]
    shutil.copyfile(storage.folder / other, storage.folder / key)
    with pytest.raises(DataError, match="has other rows than its name tells"):
        training_sets.load(storage, early.digest if early.digest[:16] in key else whole.digest)


moves = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.01, 0.02, 0.03])), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(moves)
def test_any_history_of_corrections_is_read_back_at_any_moment(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, float]]
) -> None:
    storage = FolderStorage(tmp_path_factory.mktemp("data"))
    days = ["2018-12-03", "2018-12-04", "2018-12-06", "2018-12-07"]
    start = datetime(2019, 1, 1, tzinfo=timezone.utc)
    state: dict[str, float] = {}
    states = [dict(state)]
    for hour, (day, rv) in enumerate(moves):
        tables.write(storage, LABELS, labels((days[day], rv)), reason="seen again", now=start + timedelta(hours=hour))
        state[days[day]] = rv
        states.append(dict(state))
    for hour, wanted in enumerate(states):
        found = tables.read(storage, LABELS, as_of=start + timedelta(hours=hour))
        assert dict(zip(found["date"].astype(str), found["rv_5d"], strict=True)) == wanted
    assert value(storage) == [state[day] for day in days if day in state]


def test_the_newest_versions_of_all_days(storage):
    tables.write(storage, "labels_daily", labels(("2018-11-30", 0.02), ("2018-12-03", 0.03)), now=NOW)
    tables.write(storage, "labels_daily", labels(("2018-11-30", 0.04)), reason="it was wrong", now=NOW)
    storage.create("labels_daily/date=2018-12-04/notes.txt", b"no partition")
    assert newest_versions(storage, "labels_daily") == {"2018-11-30": 1, "2018-12-03": 0}
