"""Install a group of pyproject.toml in a folder of its own and print it: python tools/group_packages.py test

`test` is for the tests inside the training environment, which has no test tools itself; `docs` builds the site. The folder's
name tells its content.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

import uv
from lockfile import requirements

from chronos_training.control.publish import installer

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
    words = ["--no-deps", "--require-hashes", "--target", str(partial / "packages"), "--requirement", str(wanted)]
    try:
        installer.install(uv.find_uv_bin(), words, ROOT / ".cache", partial / "uv.log")
    except installer.InstallError as error:
        sys.exit(f"The packages of the group {group} could not be installed: {error}")
    (partial / "packages").rename(final)
    shutil.rmtree(partial)
    return final


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: group_packages.py GROUP")
    print(folder(sys.argv[1]))
