"""The prebuilt Python environment: fetched by digest and verified, then mounted, or unpacked and renamed into place (R12).

It is published as an image, as an archive, or both. An image is mounted where that can be done. Elsewhere the archive is
unpacked; without one the image is, by unsquashfs, which Ubuntu brings.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chronos_training.core.aws_types import S3Client
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError

from . import mounting, transfer
from .transfer import Progress, Wanted

log = logging.getLogger(__name__)
AGAIN = "Publish the runtime again."


def install_environment(
    s3: S3Client,
    bucket: str,
    published: dict[str, Any],
    target: Path,
    emit: Callable[[str], None],
    progress: Progress = lambda done, total: None,
) -> Path:
    """Bring the environment to `target` (the fixed path it runs from) and return its Python.

    `published` is the run spec's `python_env`: key, sha256 and size of the `image` and of the `archive`, each None where
    it is not published, and the versions of its `packages`. Raises TrainingError naming the object: one whose sha256 differs
    is neither mounted nor unpacked, and a half-unpacked folder never gets the final name.
    """
    if not (os.path.ismount(target) or target.exists()):
        target.parent.mkdir(parents=True, exist_ok=True)
        # Before there were two forms to choose from, what was named first was the archive.
        image, archive = published.get("image"), published.get("archive", published)
        reason = _reason_not_mounted(s3, bucket, image, target, emit, progress)
        if reason:
            log.info("environment: no image is mounted (%s)", reason)
            _unpacked(s3, bucket, image, archive, target, emit, progress, reason)
    python = target / "bin/python3"
    if not os.access(python, os.X_OK):
        raise TrainingError(
            f"The environment s3://{bucket}/{published['key']} has no bin/python3.", hint=AGAIN, code="preflight_failed"
        )
    check_packages(target, published.get("packages", {}))
    return python


def _reason_not_mounted(
    s3: S3Client,
    bucket: str,
    image: dict[str, Any] | None,
    target: Path,
    emit: Callable[[str], None],
    progress: Progress,
) -> str:
    """Fetch and mount the image; return why that cannot be done here, empty when it is mounted."""
    if not image:
        return "none was published"
    reason = mounting.reason_not_to_mount()
    if not reason:
        path = target.with_name("environment.sqfs")
        emit("downloading the environment's image")
        _fetch(s3, bucket, image, path, progress)
        emit("mounting the environment")
        reason = mounting.mount(path, target)
        if not reason:
            log.info("environment: image mounted read-only at %s", target)
            mounting.read_ahead(target)
            return ""
        target.rmdir()
        path.unlink()
    return reason


def _unpacked(
    s3: S3Client,
    bucket: str,
    image: dict[str, Any] | None,
    archive: dict[str, Any] | None,
    target: Path,
    emit: Callable[[str], None],
    progress: Progress,
    reason: str,
) -> None:
    """Fetch one of the two and unpack it; `reason` is why the image is not mounted."""
    if not archive and not (image and shutil.which("unsquashfs")):
        raise TrainingError(
            f"The environment's image cannot be mounted here ({reason}), unsquashfs is not available to unpack it, "
            "and no archive is published.",
            hint=f"Publish an archive too: {playbook(None, 'publish_runtime', training_runtime_archive=True)}",
            code="preflight_failed",
        )
    wanted = archive or image
    assert wanted is not None
    path, partial = target.with_name("environment.packed"), target.with_name("environment.partial")
    emit("fetching the environment")
    _fetch(s3, bucket, wanted, path, progress)
    emit("unpacking the environment")
    shutil.rmtree(partial, ignore_errors=True)
    if archive:
        _unpack_archive(path, partial)
    else:
        _unpack_image(path, partial)
    partial.rename(target)
    path.unlink()


def _fetch(s3: S3Client, bucket: str, published: dict[str, Any], path: Path, progress: Progress) -> None:
    wanted = Wanted(published["key"], path, int(published["size"]), published["sha256"])
    try:
        transfer.fetch(s3, bucket, [wanted], path.with_name("fetching"), progress)
    except transfer.Corrupt as error:
        raise TrainingError(
            f"The environment s3://{bucket}/{wanted.key} is corrupt: its sha256 is {error.found}, not {wanted.sha256}.",
            hint=AGAIN,
            code="checksum_mismatch",
        ) from error


def _unpack_image(image: Path, target: Path) -> None:
    done = subprocess.run(
        ["unsquashfs", "-no-progress", "-no-xattrs", "-dest", str(target), str(image)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise TrainingError(f"The environment's image could not be unpacked: {said}", code="preflight_failed")


def _unpack_archive(archive: Path, target: Path) -> None:
    target.mkdir()
    # Two programs in a pipe, so that decompression and writing use a core each.
    zstd = subprocess.Popen(["zstd", "-dcq", str(archive)], stdout=subprocess.PIPE)
    tar = subprocess.run(["tar", "-xf", "-", "-C", str(target)], stdin=zstd.stdout, check=False)
    assert zstd.stdout is not None
    zstd.stdout.close()
    if zstd.wait() != 0 or tar.returncode != 0:
        raise TrainingError(
            f"The environment could not be unpacked (zstd {zstd.returncode}, tar {tar.returncode}).",
            code="preflight_failed",
        )


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
            f"Preflight: the environment's packages differ from the published ones: {'; '.join(wrong[:3])}{more}.",
            hint=AGAIN,
            code="preflight_failed",
        )
