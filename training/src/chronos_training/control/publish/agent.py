"""The agent package: our own code and boto3, pure Python, for the image's own interpreter; and s5cmd, a static program.

The same sources give the same bytes, so the digest tells whether anything is to be uploaded.
"""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

import chronos_training
from chronos_training.control.publish.packing import pack_bytes
from chronos_training.core.commands import make
from chronos_training.core.errors import TrainingError

ARCHIVE_NAME = "chronos-training-agent.tar.gz"
LIBRARIES = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")
# The packages that an instance runs. The commands of a person's machine stay there: a change to them is no new agent package.
SHIPPED = ("core", "agent", "training", "evaluation", "families", "base_models", "config", "data")
# What the instance talks to. botocore brings the descriptions of 400 services, 25 MB, and needs these.
SERVICES = ("ec2", "s3", "scheduler", "sts")


def agent_archive(s5cmd: bytes | None) -> bytes:
    """Return the agent package: `app/chronos_training/…`, `lib/…`, and `bin/s5cmd` if given.

    Raises TrainingError when a library is missing.
    """
    entries = {f"app/chronos_training/{name}": content for name, content in _own_code().items()}
    for library in LIBRARIES:
        entries |= {f"lib/{name}": content for name, content in _library(library).items()}
    if s5cmd is not None:
        entries["bin/s5cmd"] = s5cmd
    return pack_bytes(entries, executable={"bin/s5cmd"})


def _own_code() -> dict[str, bytes]:
    root = Path(chronos_training.__file__).parent
    found = [root / "__init__.py", *(path for part in SHIPPED for path in (root / part).rglob("*"))]
    files = (path for path in found if path.is_file() and not _is_litter(path.relative_to(root)))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def _is_litter(path: Path) -> bool:
    """Return whether an interpreter or editor left it there: caches, and hidden files."""
    return path.suffix == ".pyc" or any(part == "__pycache__" or part.startswith(".") for part in path.parts)


def _library(name: str) -> dict[str, bytes]:
    try:
        installed = distribution(name)
    except PackageNotFoundError as error:
        raise TrainingError(
            f"{name} is not installed here, but the agent package needs it.",
            hint=f"Install it: {make('setup')}",
            code="build_failed",
        ) from error
    entries = {}
    for file in installed.files or []:
        path = PurePosixPath(file)
        if _is_wanted(path):
            entries[str(path)] = Path(str(file.locate())).read_bytes()
    if not entries:
        raise TrainingError(
            f"The installed files of {name} are not recorded.",
            hint=f"Remove .venv and run {make('setup')}",
            code="build_failed",
        )
    return entries


def _is_wanted(path: PurePosixPath) -> bool:
    parts = path.parts
    if ".." in parts or path.is_absolute() or _is_litter(Path(path)) or parts[0].endswith(".dist-info"):
        return False
    if parts[:2] == ("botocore", "data"):
        return len(parts) == 3 or parts[2] in SERVICES  # files that all services share, or one of ours
    if parts[:2] == ("boto3", "data"):
        return len(parts) == 3 or parts[2] in SERVICES
    return parts[:2] != ("boto3", "examples")


def git_commit(folder: Path) -> str:
    """Return the commit of the checkout, with `-dirty` if it was changed; `unknown` without git."""
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return result.stdout.strip() if result.returncode == 0 else "unknown"
