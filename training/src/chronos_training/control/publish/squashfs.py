"""The environment as a squashfs image, which an instance mounts instead of unpacking 20,000 files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from chronos_training.core.hashing import sha256_file

# Level 3 in blocks of 256 KB: the default level 15 costs minutes to save a twentieth; larger blocks make the small reads
# of an import slower, smaller ones the image larger.
_OPTIONS = [
    "-comp",
    "zstd",
    "-Xcompression-level",
    "3",
    "-b",
    "256K",
    "-noappend",
    "-no-progress",
    "-quiet",
    "-no-recovery",
    "-no-exports",
]
# The same bytes for the same content: no times, no owners, no attributes of this machine.
_REPRODUCIBLE = ["-reproducible", "-mkfs-time", "0", "-all-time", "0", "-all-root", "-no-xattrs"]
MISSING = "mksquashfs is not installed (Debian, Ubuntu: apt-get install squashfs-tools; macOS: brew install squashfs)"


def can_pack() -> bool:
    """Return whether this machine has mksquashfs."""
    return shutil.which("mksquashfs") is not None


def pack_image(folder: Path, image: Path) -> dict[str, Any]:
    """Write `folder` as a squashfs image on all cores; return its sha256 and size in bytes.

    Raises OSError when mksquashfs is missing or ends with an error, with its own words.
    """
    # One that could not be started or that knows no zstd is an older or smaller build: the caller continues without it.
    done = subprocess.run(
        ["mksquashfs", str(folder), str(image), *_OPTIONS, *_REPRODUCIBLE], capture_output=True, text=True, check=False
    )
    if done.returncode:
        image.unlink(missing_ok=True)
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise OSError(f"mksquashfs: {said[0] if said else f'exit code {done.returncode}'}")
    return {"sha256": sha256_file(image), "size": image.stat().st_size}
