"""The prebuilt Python environment: fetched by digest and verified, then mounted, or unpacked and renamed into place (R12)."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chronos_training.core.errors import TrainingError

from . import mounting, transfer
from .transfer import Progress, Wanted

log = logging.getLogger(__name__)
AGAIN = "Publish the runtime again."


def install_environment(
    s3: Any,
    bucket: str,
    published: dict[str, Any],
    target: Path,
    say: Callable[[str], None],
    progress: Progress = lambda done, total: None,
) -> Path:
    """Bring the environment to `target` (the fixed path it runs from) and return its Python.

    `published` is the run spec's `python_env`: key, sha256 and size of the archive, the same of the `image` or None, and
    the versions of its `packages`. The image is mounted where that can be done; else the archive is unpacked. Raises
    TrainingError naming the object: one whose sha256 differs is neither mounted nor unpacked, and a half-unpacked folder
    never gets the final name.
    """
    if not (os.path.ismount(target) or target.exists()):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not _mounted(s3, bucket, published.get("image"), target, say, progress):
            _unpacked(s3, bucket, published, target, say, progress)
    python = target / "bin/python3"
    if not os.access(python, os.X_OK):
        raise TrainingError(f"The environment s3://{bucket}/{published['key']} holds no bin/python3.", hint=AGAIN)
    check_packages(target, published.get("packages", {}))
    return python


def _mounted(
    s3: Any, bucket: str, image: dict[str, Any] | None, target: Path, say: Callable[[str], None], progress: Progress
) -> bool:
    """Fetch and mount the image; False, and the reason in the log, where that cannot be done."""
    reason = mounting.reason_not_to_mount() if image else "none was published"
    if image and not reason:
        path = target.with_name("environment.sqfs")
        say("fetching the environment's image")
        _fetch(s3, bucket, image, path, progress)
        say("mounting the environment")
        reason = mounting.mount(path, target)
        if not reason:
            log.info("environment: image mounted read-only at %s", target)
            mounting.read_ahead(target)
            return True
        target.rmdir()
        path.unlink()
    log.info("environment: the image is not mounted (%s); the archive is unpacked", reason)
    return False


def _unpacked(
    s3: Any, bucket: str, published: dict[str, Any], target: Path, say: Callable[[str], None], progress: Progress
) -> None:
    archive, partial = target.with_name("environment.tar.zst"), target.with_name("environment.partial")
    say("fetching the environment")
    _fetch(s3, bucket, published, archive, progress)
    say("unpacking the environment")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    _unpack(archive, partial)
    partial.rename(target)
    archive.unlink()


def _fetch(s3: Any, bucket: str, published: dict[str, Any], path: Path, progress: Progress) -> None:
    wanted = Wanted(published["key"], path, int(published["size"]), published["sha256"])
    try:
        transfer.fetch(s3, bucket, [wanted], path.with_name("fetching"), progress)
    except transfer.Corrupt as error:
        raise TrainingError(
            f"The environment s3://{bucket}/{wanted.key} is corrupt: its sha256 is {error.found}, not {wanted.sha256}.",
            hint=AGAIN,
        ) from error


def _unpack(archive: Path, target: Path) -> None:
    # Two programs in a pipe, so that decompression and writing use a core each.
    zstd = subprocess.Popen(["zstd", "-dcq", str(archive)], stdout=subprocess.PIPE)
    tar = subprocess.run(["tar", "-xf", "-", "-C", str(target)], stdin=zstd.stdout, check=False)
    assert zstd.stdout is not None
    zstd.stdout.close()
    if zstd.wait() != 0 or tar.returncode != 0:
        raise TrainingError(f"The environment could not be unpacked (zstd {zstd.returncode}, tar {tar.returncode}).")


def check_packages(root: Path, published: dict[str, str]) -> None:
    """Compare what lies in the environment (its *.dist-info folders) with what was published (name → version).

    Raises TrainingError with the first differences.
    """
    found = {}
    for folder in root.glob("lib/python3*/site-packages/*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        found[re.sub(r"[-_.]+", "-", name).lower()] = version
    wrong = [
        f"{name} is {found.get(name, 'missing')}, not {version}"
        for name, version in sorted(published.items())
        if found.get(name) != version
    ]
    wrong += [f"{name} {found[name]} is not in the list" for name in sorted(set(found) - set(published))]
    if published and wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise TrainingError(
            f"Preflight: the environment's packages are not those that were published: {'; '.join(wrong[:3])}{more}.",
            hint=AGAIN,
        )
