"""Fill a folder with forecasts and models until the session before now: python -m tests.services.volatility.forecasts FOLDER

Runs in the environment of volatility/. The prices are random walks: what is shown with them is how the service behaves.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path

from chronos_volatility import settings, tables
from chronos_volatility.calendar import get_calendar
from chronos_volatility.cli import main
from chronos_volatility.gate import champion
from chronos_volatility.models import artifact
from chronos_volatility.storage import FolderStorage
from tests.volatility.panels import walk

TRAIN = ("train", "--candidate", "log-har", "--candidate", "log-har-x")
CHAIN = (("features",), ("labels",), TRAIN, ("gate",), ("infer",))


def fill(folder: Path) -> None:
    """Write the folder, and facts.json in it: what the tests want to know."""
    storage, now = FolderStorage(folder), datetime.now(timezone.utc)
    last = str(get_calendar().sessions("1990-01-02", now.date().isoformat())[-2].date())
    storage.create(settings.KEY, settings.OFFLINE.to_json())
    market = walk(2200, seed=11, last=last).sort_values(["date", "symbol"], ignore_index=True)
    tables.write(storage, tables.MARKET_DAILY, market, now=now)
    for words in CHAIN:
        if main([*words, "--data", str(folder), "--now", now.isoformat()]):
            sys.exit(f"{words[0]} failed")
    serving = champion.serving(storage, {})
    row = tables.read(storage, tables.FEATURES, first=last, last=last).iloc[0]
    names = artifact.load(storage, serving).forecaster.names
    facts = {
        "session": last,
        "serving": serving,
        "other": next(one for one in artifact.versions(storage) if one != serving),
        "features": {name: float(row[name]) for name in names},
    }
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
