"""Where absolute paths of the machine lie on the person's disk: below INSTANCE_ROOT."""

from __future__ import annotations

import os
from pathlib import Path

# The folders that user data of this project writes to. Everything else of the file system is the person's own.
MAPPED = ("/opt", "/etc", "/var", "/run", "/srv", "/root")


def is_mapped(path: str) -> bool:
    normal = os.path.normpath(path)
    return any(normal == folder or normal.startswith(folder + "/") for folder in MAPPED)


def below_root(root: Path, path: str) -> Path:
    """`path` of the machine on the person's disk, whatever folder it names: nothing is ever written outside the root."""
    return root / os.path.normpath("/" + path.lstrip("/")).lstrip("/")


def map_path(root: Path, path: str) -> str:
    """A mapped path below the root; other paths (/bin/sh, /usr/bin/env) stay what they are."""
    return str(below_root(root, path)) if path.startswith("/") and is_mapped(path) else path
