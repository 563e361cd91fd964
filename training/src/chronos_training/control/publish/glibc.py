"""Which glibc the programs and libraries of an environment need: one that is newer than the image's would not load there."""

from __future__ import annotations

from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from chronos_training.core.errors import ConfigurationError

Version = tuple[int, int]
_PREFIX = "GLIBC_"
# Packed relative relocations: only a loader of 2.36 or newer accepts a file that asks for them.
_RELR = "GLIBC_ABI_DT_RELR"


def newest_needed(root: Path) -> tuple[Version, Path] | None:
    """Return the newest glibc that a file below `root` needs, and that file; None when no file needs one."""
    found = [(version, path) for path in sorted(root.rglob("*")) if (version := needed_by(path)) is not None]
    return max(found, default=None)


def needed_by(path: Path) -> Version | None:
    """Return the glibc that an ELF file asks for; None for other files and for those linked without it."""
    if path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return None
        try:
            sections = [s for s in ELFFile(stream).iter_sections() if isinstance(s, GNUVerNeedSection)]
            names = [version.name for s in sections for _, versions in s.iter_versions() for version in versions]
        except ELFError:
            return None  # not whole, or of an unknown kind; nothing that pip installs has been seen to be so
    return max((_version(name) for name in names if name == _RELR or name.startswith(_PREFIX + "2.")), default=None)


def _version(name: str) -> Version:
    if name == _RELR:
        return 2, 36
    major, minor = name.removeprefix(_PREFIX).split(".")[:2]
    return int(major), int(minor)


def check(root: Path, limit: Version) -> str:
    """Return the newest glibc needed below `root` as text, empty when none is. ConfigurationError when it exceeds `limit`."""
    newest = newest_needed(root)
    if newest is None:
        return ""
    (major, minor), path = newest
    if newest[0] > limit:
        raise ConfigurationError(
            f"{path.relative_to(root)} in the environment needs glibc {major}.{minor}, and the instances have"
            f" {limit[0]}.{limit[1]}.",
            hint="Lock a version of that package that has wheels for an older glibc (manylinux), then publish again.",
        )
    return f"{major}.{minor}"
