"""Every malformed dataset ends in one message that names the place, and leaves everything as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from chronos_training.core.errors import DataError
from chronos_training.data.load import load_panel
from chronos_training.data.prepare import main, prepare
from chronos_training.data.rules import Rules
from chronos_training.data.validate import validate
from tests.unit.data.corpus.manifests import MANIFESTS, Change
from tests.unit.data.corpus.sources import ACCEPTED, FILES, SOURCES, Case, Write

SOURCES_FOLDER = Path(__file__).parents[3] / "training/src"


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def one_error(text: str) -> str:
    assert text.startswith("ERROR: ") and text.count("ERROR:") == 1
    assert "Traceback" not in text and "Error(" not in text
    assert text.replace("\n", "").isprintable()
    return text


@pytest.mark.parametrize("case", SOURCES, ids=lambda case: case.name)
def test_refused_in_one_message_and_nothing_is_written(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / "in", tmp_path / "place" / "out"
    folder.mkdir()
    source = case.write(folder)
    before = content(tmp_path)
    arguments = ["--source", source, "--name", "x", "--output", str(output), *case.options]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    message = one_error(printed.err)
    for part in case.says:
        assert part.format(folder=folder) in message, message
    assert printed.out == ""
    assert content(tmp_path) == before and not output.parent.exists()


@pytest.mark.parametrize("case", FILES[:6] + SOURCES[-4:], ids=lambda case: case.name)
def test_a_dataset_that_is_there_survives_a_refused_one(
    case: Case, tmp_path: Path, panel: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    panel.to_csv(tmp_path / "panel.csv", index=False)
    prepare(str(tmp_path / "panel.csv"), "small", tmp_path / "out")
    before = content(tmp_path / "out")
    source = case.write(tmp_path)
    assert main(["--source", source, "--name", "x", "--output", str(tmp_path / "out"), *case.options]) == 2
    assert content(tmp_path / "out") == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".out")]


@pytest.mark.parametrize("write", [case[1] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_odd_and_accepted(write: Write, tmp_path: Path) -> None:
    summary, _ = validate(write(tmp_path))
    assert (summary["items"], summary["rows"], summary["freq"]) == (3, 270, "D")


@pytest.mark.parametrize(("change", "says"), [case[1:] for case in MANIFESTS], ids=[case[0] for case in MANIFESTS])
def test_a_fault_in_a_prepared_folder_is_named(change: Change, says: str, tmp_path: Path, panel: pd.DataFrame) -> None:
    panel.to_csv(tmp_path / "panel.csv", index=False)
    folder = tmp_path / "dataset"
    prepare(str(tmp_path / "panel.csv"), "small", folder)
    change(folder)
    with pytest.raises(DataError) as caught:
        load_panel(folder)
    assert says in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_column_more_than_the_manifest_knows_does_no_harm(tmp_path: Path, panel: pd.DataFrame) -> None:
    from tests.unit.data.corpus.manifests import table

    panel.to_csv(tmp_path / "panel.csv", index=False)
    prepare(str(tmp_path / "panel.csv"), "small", tmp_path / "dataset")
    table(lambda t: t.append_column("more", t.column("target")))(tmp_path / "dataset")
    assert len(load_panel(tmp_path / "dataset").item_ids) == 3


def outputs(tmp_path: Path) -> list[tuple[Path, str]]:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    return [
        (tmp_path / "file", "the output is a file, not a folder"),
        (tmp_path / "full", "the output folder is not empty and holds no dataset"),
        (tmp_path / "file" / "below", "cannot be written"),
    ]


def test_output_folders_that_are_not_ours(
    tmp_path: Path, panel: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    panel.to_csv(tmp_path / "panel.csv", index=False)
    for output, says in outputs(tmp_path):
        before = content(tmp_path)
        assert main(["--source", str(tmp_path / "panel.csv"), "--name", "x", "--output", str(output)]) == 2
        message = one_error(capsys.readouterr().err)
        assert says in message and str(output) in message
        assert content(tmp_path) == before


def test_the_command_as_a_process(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("item_id,timestamp,target\na,2020-01-01,x\n")
    words = ["-m", "chronos_training.data.prepare", "--source", str(tmp_path / "bad.csv")]
    done = subprocess.run(
        [sys.executable, *words, "--name", "x", "--output", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCES_FOLDER)},
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 2 and done.stderr.splitlines()[1].endswith("--empty x"), done.stderr
    assert "Column 'target': 1 values are not numbers; first: 'x' in row 1" in one_error(done.stderr)


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(SOURCES) + len(MANIFESTS) >= 100
    for names in ([case.name for case in SOURCES], [case[0] for case in MANIFESTS]):
        assert len(names) == len(set(names))


def test_validation_refuses_what_preparation_refuses(tmp_path: Path) -> None:
    for case in SOURCES[:40]:
        folder = tmp_path / case.name.replace("/", "-")
        folder.mkdir()
        with pytest.raises(DataError):
            validate(case.write(folder), ("target",), Rules())
