"""Install a group of pyproject.toml in a folder of its own and print it: python tools/group_packages.py test

`test` is for the tests inside the training environment, which has no test tools itself; `docs` builds the site. The folder's
name tells its content.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from lockfile import requirements

ROOT = Path(__file__).resolve().parent.parent


def folder(group: str) -> Path:
    """Return the folder with the locked `group`, installed now unless it is there."""
    lines = requirements(ROOT / "poetry.lock", {group})
    name = hashlib.sha256("\n".join([sys.version, *lines]).encode()).hexdigest()[:16]
    final = ROOT / ".cache" / f"{group}-tools" / name
    if final.is_dir():
        return final
    partial = final.with_suffix(f".{os.getpid()}")
    partial.mkdir(parents=True)
    wanted = partial / "requirements.txt"
    wanted.write_text("\n".join(lines) + "\n", encoding="utf-8")
    env = {"PIP_CACHE_DIR": str(ROOT / ".cache" / "pip"), **os.environ, "TMPDIR": str(partial)}
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--target", str(partial / "packages"), "--requirement", str(wanted)]
    result = subprocess.run(command, env=env, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"The packages of the group {group} could not be installed:\n{result.stderr}")
    (partial / "packages").rename(final)
    wanted.unlink()
    partial.rmdir()
    return final


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: group_packages.py GROUP")
    print(folder(sys.argv[1]))
