"""Real panels for measurements. Their source is a package of the controller's environment, which prepares them as for a run."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def prepared(source: str, name: str) -> Path:
    """Return the folder with the dataset, made now unless it is there."""
    final = ROOT / ".cache/bench/data" / name
    if not (final / "manifest.json").is_file():
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=final.parent) as folder:
            module = [str(ROOT / ".venv/bin/python"), "-m", "chronos_training.data.prepare"]
            options = ["--source", source, "--name", name, "--output", f"{folder}/made"]
            done = subprocess.run([*module, *options], env={}, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"bench: {source} could not be prepared: {done.stderr}")
            Path(folder, "made").rename(final)
    return final
