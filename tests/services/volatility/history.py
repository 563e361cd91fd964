"""Fill a folder with the days of a stack up to a session: python history.py FOLDER PRICES SESSION SETTINGS.

Runs in the environment of volatility/, the steps of a day by their command lines, so that what is in the folder is what the chain
would have left in the bucket: with the simplest model alone, which the gate lets serve.
"""

from __future__ import annotations

import sys
from pathlib import Path

from chronos_volatility.cli import main

folder, prices, session, settings = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
header, *rows = prices.read_text().splitlines()
upload = folder / "uploads/SPX.csv"
upload.parent.mkdir(parents=True)
upload.write_text("\n".join([header, *(row for row in rows if row[:10] <= session)]))
chosen = folder.with_name(f"{folder.name}-settings.json")
chosen.write_text(settings)
steps = (
    ("ingest", "--settings", str(chosen)),
    ("features",),
    ("labels",),
    ("train", "--candidate", "log-har"),
    ("gate",),
    ("infer",),
)
for words in steps:
    if main([*words, "--data", str(folder), "--now", f"{session}T23:05:00Z"]):
        sys.exit(f"{words[0]} failed")
