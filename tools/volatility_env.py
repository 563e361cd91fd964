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

from lockfile import requirements

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
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    wanted = folder / "requirements.txt"
    wanted.write_text("\n".join(lines) + "\n", encoding="utf-8")
    env = {"PIP_CACHE_DIR": str(ROOT / ".cache" / "pip"), **os.environ}
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    result = subprocess.run(
        [*command, "--require-hashes", "--requirement", wanted], env=env, capture_output=True, text=True
    )
    if result.returncode:
        sys.exit(f"The environment of volatility/ could not be made:\n{result.stderr}")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (folder / "lib" / version / "site-packages" / "sources.pth").write_text(
        "".join(f"{source}\n" for source in SOURCES), encoding="utf-8"
    )
    (folder / "complete").touch()
    return python


if __name__ == "__main__":
    print(interpreter(set(sys.argv[1:]) or {"batch"}))
