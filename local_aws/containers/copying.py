"""COPY and ADD: from the build's context or another stage's root into a root.

https://docs.docker.com/reference/dockerfile/#copy
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from local_aws.containers.oci import ImageError

# Relative to the context, with / between: whether the file stays out.
Ignored = Callable[[str], bool]


def ignored_by(context: Path, containerfile: Path) -> Ignored:
    """Return what the ignore file of a context leaves out.

    https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    names = [containerfile.with_name(containerfile.name + ".dockerignore"), context / ".containerignore"]
    path = next((one for one in [*names, context / ".dockerignore"] if one.is_file()), None)
    rules: list[tuple[re.Pattern[str], bool]] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path else ():
        rule = line.strip()
        if rule and not rule.startswith("#"):
            kept = rule.startswith("!")
            rules.append((_pattern(rule.lstrip("!").strip().strip("/")), not kept))

    def ignored(name: str) -> bool:
        out = False
        for pattern, leaves_out in rules:
            if pattern.fullmatch(name):
                out = leaves_out
        return out

    return ignored


def _pattern(rule: str) -> re.Pattern[str]:
    """A rule matches what it names and everything below that; ** stands for any number of folders."""
    text = re.escape(rule).replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.compile(text.replace(r"\?", "[^/]") + "(?:/.*)?")


def copy(
    sources: list[str],
    source_root: Path,
    destination: Path,
    *,
    into: bool,
    ignored: Ignored = lambda _: False,
    mode: int | None = None,
    link: bool = False,
) -> None:
    """Copy `sources` (below `source_root`, with wildcards) to `destination`; `into` it when it is written as a folder.

    The content of a folder is copied, not the folder; as hard links with `link`. Owners stay behind: who builds need
    not be root. ImageError.
    """
    found = [path for source in sources for path in _found(source, source_root)]
    if len(found) > 1 and not into and not destination.is_dir():
        raise ImageError("when COPY has several sources, its destination must be a folder and end with a /")
    for path in found:
        if path.is_dir() and not path.is_symlink():
            _copy_folder(path, destination, source_root, ignored, mode, link)
        elif not ignored(_name(path, source_root)):
            _copy_file(path, destination / path.name if into or destination.is_dir() else destination, mode, link)


def _found(source: str, root: Path) -> list[Path]:
    relative = os.path.normpath("/" + source).lstrip("/")  # .. does not lead out of the root
    if any(sign in relative for sign in "*?["):
        found = sorted(root.glob(relative))
    else:
        found = [root / relative] if os.path.lexists(root / relative) else []
    if not found:
        raise ImageError(f"COPY failed: {source}: no such file or directory")
    return found


def digest(sources: list[str], source_root: Path, ignored: Ignored) -> str:
    """Return what tells whether these files are the same as in an earlier build. ImageError when one is missing."""
    hashed = hashlib.sha256()

    def add(path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            for inner in sorted(path.iterdir()):
                add(inner)
            return
        name = _name(path, source_root)
        if ignored(name):
            return
        if path.is_symlink():
            hashed.update(json.dumps([name, "link", os.readlink(path)]).encode())
        else:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            hashed.update(json.dumps([name, path.stat().st_mode, content]).encode())

    for source in sources:
        for path in _found(source, source_root):
            add(path)
    return hashed.hexdigest()


def _copy_folder(folder: Path, destination: Path, root: Path, ignored: Ignored, mode: int | None, link: bool) -> None:
    destination.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            # A rule with ! may keep a file below a folder that is left out.
            before = destination / path.name
            was_there = before.exists()
            _copy_folder(path, before, root, ignored, mode, link)
            if not was_there and ignored(_name(path, root)) and not any(before.iterdir()):
                before.rmdir()
        elif not ignored(_name(path, root)):
            _copy_file(path, destination / path.name, mode, link)


def _copy_file(path: Path, target: Path, mode: int | None, link: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        target.unlink()
    if link and mode is None:
        os.link(path, target, follow_symlinks=False)
    else:
        shutil.copy2(path, target, follow_symlinks=False)
    if mode is not None and not target.is_symlink():
        target.chmod(mode)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
