"""Make the environment of volatility/ unless it is there, and print its interpreter: python tools/volatility_env.py [GROUP...]

GROUP is a group of volatility/pyproject.toml (default: batch); what the package needs at least is always in. The folder's
name tells its content.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import uv
from lockfile import requirements

from chronos_training.control.publish import installer

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (ROOT / "volatility" / "src", ROOT / "training" / "src")  # both used in place


def interpreter(groups: set[str]) -> Path:
    """Return the Python of the environment with these locked `groups`, made now unless it is complete."""
    lines = requirements(ROOT / "volatility" / "poetry.lock", {"main", *groups})
    name = hashlib.sha256("\n".join([sys.version, str(ROOT), *lines]).encode()).hexdigest()[:16]
    folder = ROOT / ".cache" / "volatility-env" / name
    python = folder / "bin" / "python"
    if (folder / "complete").is_file() and os.access(python, os.X_OK):
        return python
    print("volatility: its environment is made, once", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([uv.find_uv_bin(), "venv", "--quiet", "--python", sys.executable, folder], check=True)
    wanted = folder / "requirements.txt"
    wanted.write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["--no-deps", "--require-hashes", "--requirement", str(wanted)]
    try:
        installer.install(uv.find_uv_bin(), words, ROOT / ".cache", folder / "uv.log", python=python)
    except installer.InstallError as error:
        sys.exit(f"The environment of volatility/ could not be made: {error}")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (folder / "lib" / version / "site-packages" / "sources.pth").write_text(
        "".join(f"{source}\n" for source in SOURCES), encoding="utf-8"
    )
    (folder / "complete").touch()
    return python


if __name__ == "__main__":
    print(interpreter(set(sys.argv[1:]) or {"batch"}))
