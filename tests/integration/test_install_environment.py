"""The environment on the instance: mounted or unpacked, from a real S3 server, with real images and mounts."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from chronos_training.agent import mounting
from chronos_training.agent.environment import check_packages, install_environment
from chronos_training.control.publish import squashfs
from chronos_training.control.publish.packing import pack_folder
from chronos_training.core.errors import TrainingError

BUCKET = "environments"
PACKAGES = {"greeting": "1.2", "ruamel-yaml": "0.18+cpu"}


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr("chronos_training.agent.transfer.BACKOFF_SECONDS", 0.01)


@pytest.fixture
def root(tmp_path):
    """An environment in small: a program, and what pip leaves of two packages."""
    root = tmp_path / "built"
    (root / "bin").mkdir(parents=True)
    (root / "bin/python3").write_text("#!/bin/sh\necho started from $0\n")
    (root / "bin/python3").chmod(0o755)
    for name in ("greeting-1.2", "ruamel.yaml-0.18+cpu"):
        (root / f"lib/python3.11/site-packages/{name}.dist-info").mkdir(parents=True)
    return root


def put(s3, path: Path, name: str) -> dict:
    body = path.read_bytes()
    s3.put_object(Bucket=BUCKET, Key=name, Body=body)
    return {"key": name, "sha256": hashlib.sha256(body).hexdigest(), "size": len(body)}


@pytest.fixture
def published(s3, root, tmp_path):
    """The run spec's `python_env`, both forms published."""
    pack_folder(root, tmp_path / "env.tar.zst")
    archive = put(s3, tmp_path / "env.tar.zst", "env.tar.zst")
    entry = {**archive, "archive": archive, "image": None, "packages": PACKAGES}
    if squashfs.can_pack():
        squashfs.pack_image(root, tmp_path / "env.sqfs")
        entry["image"] = put(s3, tmp_path / "env.sqfs", "env.sqfs")
    return entry


@pytest.fixture
def target(tmp_path):
    target = tmp_path / "work/environment"
    yield target
    wait_for_read_ahead()
    if os.path.ismount(target):
        subprocess.run(["umount", str(target)], check=True)


def wait_for_read_ahead() -> None:
    """A mount that is being read cannot be undone."""
    for thread in threading.enumerate():
        if thread.name == mounting.READ_AHEAD:
            thread.join()


needs_mounts = pytest.mark.skipif(
    bool(mounting.reason_not_to_mount()) or not squashfs.can_pack(), reason="needs root, loop devices and mksquashfs"
)


def install(s3, published, target) -> Path:
    return install_environment(s3, BUCKET, published, target, lambda line: None)


def starts(python: Path) -> bool:
    return subprocess.run([python], capture_output=True, text=True).stdout == f"started from {python}\n"


@needs_mounts
def test_the_image_is_mounted_read_only(s3, published, target):
    python = install(s3, published, target)
    assert os.path.ismount(target)
    assert starts(python)
    with pytest.raises(OSError, match="Read-only"):
        (target / "new").touch()


def test_compiled_modules_are_read_ahead_and_one_that_cannot_be_read_is_nobodys_business(tmp_path, monkeypatch):
    for name in ("a/one.pyc", "a/b/two.pyc", "a/three.so"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a/broken.pyc").symlink_to("nowhere")
    read = []
    whole = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or whole(path))
    mounting.read_ahead(tmp_path)
    wait_for_read_ahead()
    assert sorted(read) == ["broken.pyc", "one.pyc", "two.pyc"]


@pytest.mark.parametrize("entry", ["archive", "image"])
def test_a_corrupt_one_is_refused_by_name_and_both_hashes(s3, published, target, entry, request):
    if entry == "image" and (mounting.reason_not_to_mount() or not published["image"]):
        pytest.skip("needs root, loop devices and mksquashfs")
    if entry == "archive":
        published = {**published, "image": None}
    one = published[entry]
    s3.put_object(Bucket=BUCKET, Key=one["key"], Body=b"bad")
    bad = hashlib.sha256(b"bad").hexdigest()
    with pytest.raises(TrainingError) as error:
        install(s3, published, target)
    said = f"The environment s3://{BUCKET}/{one['key']} is corrupt: its sha256 is {bad}, not {one['sha256']}."
    assert str(error.value).startswith(said)
    assert not target.exists()


@needs_mounts
def test_an_image_that_cannot_be_mounted_is_replaced_by_the_archive(s3, published, target, tmp_path, caplog):
    (tmp_path / "no image").write_bytes(b"published so, and no file system" * 1000)
    published["image"] = put(s3, tmp_path / "no image", "env.sqfs")
    with caplog.at_level(logging.INFO):
        assert starts(install(s3, published, target))
    assert not os.path.ismount(target)
    assert "no image is mounted (mount: " in caplog.text


def without_mounts(monkeypatch) -> None:
    monkeypatch.setattr(mounting, "reason_not_to_mount", lambda: "the kernel does not support squashfs")


@pytest.mark.skipif(not squashfs.can_pack() or shutil.which("unsquashfs") is None, reason="needs squashfs-tools")
def test_an_image_that_cannot_be_mounted_is_unpacked_where_no_archive_is_published(s3, published, target, monkeypatch):
    without_mounts(monkeypatch)
    assert starts(install(s3, {**published, **published["image"], "archive": None}, target))
    assert sorted(path.name for path in target.parent.iterdir()) == ["environment"]


def test_neither_mount_nor_unsquashfs_nor_archive_is_a_sentence_with_what_to_publish(
    s3, published, target, monkeypatch
):
    without_mounts(monkeypatch)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    image = published["archive"]  # never fetched
    with pytest.raises(TrainingError) as error:
        install(s3, {**published, "image": image, "archive": None}, target)
    assert (
        "cannot be mounted here (the kernel does not support squashfs), unsquashfs is not available to unpack it"
        in str(error.value)
    )
    assert "make runtime" in str(error.value) and "training_runtime_archive=true" in str(error.value)


def test_a_run_spec_of_before_there_were_two_forms_names_the_archive_first(s3, published, target):
    old = {key: value for key, value in published.items() if key != "archive"} | {"image": None}
    assert starts(install(s3, old, target))


def test_an_instance_that_is_a_folder_never_mounts(s3, published, target, monkeypatch, caplog):
    monkeypatch.setenv("INSTANCE_ROOT", "/somewhere")
    with caplog.at_level(logging.INFO):
        assert starts(install(s3, published, target))
    assert not os.path.ismount(target)
    assert sorted(path.name for path in target.parent.iterdir()) == ["environment"]
    if published["image"]:
        assert "a mount would affect the whole machine" in caplog.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"greeting": "1.3"}, "greeting is 1.2, not 1.3"),
        ({"more": "1.0"}, "more is missing, not 1.0"),
        ({"ruamel-yaml": None}, "ruamel-yaml 0.18+cpu is not in the list"),
    ],
)
def test_other_packages_than_published_are_named(root, change, said):
    check_packages(root, PACKAGES)
    expected = {name: version for name, version in {**PACKAGES, **change}.items() if version}
    with pytest.raises(TrainingError, match=said.replace("+", r"\+")):
        check_packages(root, expected)
