"""The file system of an image, laid out in a folder once for each digest."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tarfile
import threading
import time
from pathlib import Path

from local_aws.containers.oci import Image, ImageError
from local_aws.home import REPOSITORY_ROOT

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


# Shared by every embedded AWS of this computer (tests have many): nobody writes into them, see isolation.py, engines.py.
FOLDER = REPOSITORY_ROOT / ".cache/images"
_KEPT = 14 * 86400  # seconds that an image is kept after its last use


def unpacked(image: Image, folder: Path = FOLDER) -> Path:
    """Return the image's root, laid out now unless it is there. ImageError when a layer is unusable."""
    own = folder / image.digest.removeprefix("sha256:")
    root = own / "root"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{own.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            _forget_old(folder)
            shutil.rmtree(own, ignore_errors=True)
            partial = own / "partial"
            partial.mkdir(parents=True)
            for place, layer in enumerate(image.layers):
                _lay(layer, partial, folder, place, shared=image.level == "process")
            partial.rename(root)
        os.utime(own)
    return root


def _lay(layer: Path, root: Path, folder: Path, place: int, *, shared: bool) -> None:
    try:
        if not shared:
            apply(layer, root, first=place == 0)
            return
        # A builder's layers hide nothing. The large one, of packages, is the same in image after image.
        once = folder / f"layer-{layer.name}"
        if not once.is_dir():
            partial = folder / f".layer-{layer.name}-{os.getpid()}-{threading.get_ident()}"
            partial.mkdir()
            apply(layer, partial, first=True)
            with contextlib.suppress(OSError):  # somebody else was quicker
                partial.rename(once)
            shutil.rmtree(partial, ignore_errors=True)
        os.utime(once)
        shutil.copytree(once, root, symlinks=True, copy_function=_link, dirs_exist_ok=True)
    except (OSError, shutil.Error, tarfile.TarError, EOFError) as error:
        raise ImageError(f"failed to register layer: {error}") from error


def _link(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    os.link(source, target, follow_symlinks=False)


def _forget_old(folder: Path) -> None:
    limit = time.time() - _KEPT
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.is_dir() and path.stat().st_mtime < limit:
                shutil.rmtree(path, ignore_errors=True)


def apply(layer: Path, root: Path, *, first: bool) -> None:
    """Lay a layer over what is there. https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md

    With tar(1), which keeps everything inside of the root, and is five times as fast as Python's with its filter.
    """
    if not first:
        _delete_hidden(layer, root)
    words = ["tar", "-x", "-f", str(layer), "-C", str(root), "--exclude", f"{_WHITEOUT}*", "--numeric-owner"]
    # Who builds as root has owners and bits like setuid to keep; everybody else owns what they unpack.
    words += ["--same-owner", "-p"] if os.geteuid() == 0 else ["--no-same-owner", "--exclude", "dev/*"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"failed to register layer: {(done.stderr.strip().splitlines() or ['tar failed'])[-1]}")


def _delete_hidden(layer: Path, root: Path) -> None:
    """Delete what the layer says is gone: `.wh.NAME` for one entry, `.wh..wh..opq` for a folder's whole content."""
    with tarfile.open(layer, "r|*") as archive:
        for member in archive:
            name = os.path.basename(member.name)
            if not name.startswith(_WHITEOUT):
                continue
            folder = root / os.path.normpath("/" + os.path.dirname(member.name)).lstrip("/")
            if not folder.resolve().is_relative_to(root.resolve()):
                raise ImageError(f"failed to register layer: {member.name} leads out of the image")
            if name != _OPAQUE:
                _delete(folder / name.removeprefix(_WHITEOUT))
            else:
                for inner in folder.iterdir() if folder.is_dir() else ():
                    _delete(inner)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
