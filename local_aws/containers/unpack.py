"""The file system of an image, laid out in a folder once for each digest."""

from __future__ import annotations

import fcntl
import os
import shutil
import tarfile
from pathlib import Path

from local_aws.containers.oci import Image, ImageError

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


def unpacked(image: Image, folder: Path) -> Path:
    """Return the image's root below `folder`, laid out now unless it is there. ImageError when a layer is unusable."""
    name = image.digest.removeprefix("sha256:")
    root = folder / name / "root"
    if root.is_dir():
        return root
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if root.is_dir():
            return root
        partial = folder / name / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for layer in image.layers:
            try:
                apply(layer, partial)
            except (OSError, tarfile.TarError, EOFError) as error:
                raise ImageError(f"failed to register layer: {error}") from error
        partial.rename(root)
    return root


def apply(layer: Path, root: Path) -> None:
    """Lay a layer over what is there. https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md"""
    own = os.geteuid() == 0
    folders = []
    with tarfile.open(layer, "r:*") as archive:
        for member in archive:
            path = root / member.name.lstrip("/")
            name = path.name
            if name == _OPAQUE:
                for inner in path.parent.iterdir() if path.parent.is_dir() else ():
                    _delete(inner)
                continue
            if name.startswith(_WHITEOUT):
                _delete(path.with_name(name.removeprefix(_WHITEOUT)))
                continue
            if member.isdev() and not own:
                continue  # the devices of a container are made by who runs it
            if path.is_symlink() or (path.exists() and not (path.is_dir() and member.isdir())):
                _delete(path)
            if member.isdir():
                folders.append((path, member.mode))
                member.mode |= 0o700  # its files come after it
            # The filter keeps everything inside of the root, whatever the names and links in the archive say.
            archive.extract(member, root, numeric_owner=True, set_attrs=True, filter="tar" if not own else _owned)
    for path, mode in reversed(folders):
        if path.is_dir() and not path.is_symlink():
            path.chmod(mode)


def _owned(member: tarfile.TarInfo, root: str) -> tarfile.TarInfo | None:
    """As the filter `tar`, with the bits that a real system needs (setuid)."""
    return tarfile.tar_filter(member, root).replace(mode=member.mode)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
