"""Fill a folder with a champion that has trees: python -m tests.services.volatility.champion_with_trees FOLDER

As `train` and `gate` leave one, with its golden forecast. Runs in the environment of volatility/ with the group batch.
"""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path

from chronos_volatility.features import VERSION
from chronos_volatility.gate import champion
from chronos_volatility.models import artifact
from chronos_volatility.models.artifact import Artifact
from chronos_volatility.models.trees import fit_trees
from chronos_volatility.storage import FolderStorage
from tests.volatility.panels import design_of, walk


def fill(folder: Path) -> None:
    """Write the folder."""
    storage, design = FolderStorage(folder), design_of(walk(1400, seed=3))
    model = fit_trees(design, len(design))
    version = artifact.save(storage, Artifact(model, "SPX", "2018-12-07", VERSION, "0" * 64, len(design)))
    row = design.columns(model.names)[-1]
    artifact.save_golden(storage, version, row, model.rv_5d(row[None, :])[0])
    now = datetime.now(timezone.utc)
    champion.promote(storage, version, action="promote", reason="a test", now=now, expected=None)


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
