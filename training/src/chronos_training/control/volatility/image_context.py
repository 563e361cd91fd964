"""What the images of the volatility stack are built from: a folder with the programs and the locked packages alone."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = {
    "volatility/Containerfile": "Containerfile",
    "volatility/src/chronos_volatility": "src/chronos_volatility",
    # What it shares with the training system.
    "training/src/chronos_training/__init__.py": "src/chronos_training/__init__.py",
    "training/src/chronos_training/core": "src/chronos_training/core",
}
TARGETS = ("batch", "api")


def write(repository: Path, folder: Path) -> str:
    """Write the build's context into `folder`, in place of what is there, and return the sha256 (hex) of its content."""
    shutil.rmtree(folder, ignore_errors=True)
    for source, target in SOURCES.items():
        place = folder / target
        place.parent.mkdir(parents=True, exist_ok=True)
        if (repository / source).is_dir():
            shutil.copytree(repository / source, place, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copyfile(repository / source, place)
    for target in TARGETS:
        (folder / f"requirements-{target}.txt").write_text(_requirements(repository, target), encoding="utf-8")
    found = hashlib.sha256()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        found.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()


def _requirements(repository: Path, group: str) -> str:
    words = [sys.executable, str(repository / "tools/lockfile.py"), str(repository / "volatility/poetry.lock")]
    return subprocess.run([*words, "main", group], check=True, capture_output=True, text=True).stdout
