"""Which disk is taken: only an untouched one that EC2 names as instance storage. And on a loop device, for real."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from chronos_training.instance import local_disk
from chronos_training.instance.local_disk import MODEL, unused_disk


def disk(**changes):
    entry = {
        "name": "nvme1n1", "path": "/dev/nvme1n1", "model": MODEL, "size": 225_000_000_000, "fstype": None,
        "mountpoints": [None], "pttype": None, "type": "disk",
    }  # fmt: skip
    return entry | changes


ROOT = disk(
    path="/dev/nvme0n1", model="Amazon Elastic Block Store", pttype="gpt", mountpoints=[None],
    children=[disk(path="/dev/nvme0n1p1", model=None, type="part", fstype="ext4", mountpoints=["/"])],
)  # fmt: skip


def test_the_unused_local_disk_is_found_beside_the_root_volume():
    assert unused_disk({"blockdevices": [ROOT, disk()]}) == "/dev/nvme1n1"


def test_the_largest_of_several():
    small = disk(path="/dev/nvme2n1", size=1000)
    assert unused_disk({"blockdevices": [small, disk(), ROOT]}) == "/dev/nvme1n1"


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "Amazon Elastic Block Store"},
        {"model": None},
        {"fstype": "ext4"},
        {"fstype": "linux_raid_member"},
        {"pttype": "gpt"},
        {"mountpoints": ["/opt/dlami/nvme"]},
        {"children": [disk(type="lvm")]},
        {"type": "loop"},
    ],
)
def test_a_disk_that_holds_anything_is_left_alone(changes):
    assert unused_disk({"blockdevices": [ROOT, disk(**changes)]}) is None


def test_never_with_a_root_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTANCE_ROOT", str(tmp_path))
    monkeypatch.setattr(local_disk, "_run", lambda *words: pytest.fail(f"ran {words}"))
    assert local_disk.use_local_disk(tmp_path / "work") is None


@pytest.fixture
def loop_device(tmp_path):
    if os.geteuid() != 0 or shutil.which("losetup") is None:
        pytest.skip("a loop device needs root and losetup")
    image = tmp_path / "disk"
    with image.open("wb") as stream:
        stream.truncate(64 << 20)
    made = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"no loop device here: {made.stderr.strip()}")
    device = made.stdout.strip()
    yield device
    subprocess.run(["umount", device], capture_output=True)
    subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture
def seen(loop_device, monkeypatch):
    """Let lsblk show the loop device as EC2 shows a local disk; everything else is real."""
    real = local_disk._run
    shown = {"blockdevices": [disk(path=loop_device)]}

    def run(*words):
        import json

        return json.dumps(shown) if words[0] == "lsblk" else real(*words)

    monkeypatch.delenv("INSTANCE_ROOT", raising=False)
    monkeypatch.setattr(local_disk, "_run", run)
    return loop_device


def test_a_blank_disk_is_formatted_and_mounted(seen, tmp_path):
    work = tmp_path / "work"
    assert local_disk.use_local_disk(work) == seen
    assert os.path.ismount(work)
    (work / "file").write_text("data")
    assert local_disk.use_local_disk(work) is None  # the second time there is nothing to do
    assert (work / "file").read_text() == "data"


def test_a_disk_that_is_not_blank_after_all_is_left_alone(seen, tmp_path):
    subprocess.run(["mkfs.ext4", "-q", "-L", "precious", seen], check=True)
    assert local_disk.use_local_disk(tmp_path / "work") is None
    label = subprocess.run(["blkid", "-p", "-o", "value", "-s", "LABEL", seen], capture_output=True, text=True).stdout
    assert label.strip() == "precious"


def test_a_failure_leaves_the_work_on_the_root_volume(seen, tmp_path, monkeypatch, caplog):
    run = local_disk._run

    def broken(*words):
        if words[0] == "mkfs.ext4":
            raise subprocess.CalledProcessError(1, words, stderr="the device is dying")
        return run(*words)

    monkeypatch.setattr(local_disk, "_run", broken)
    assert local_disk.use_local_disk(tmp_path / "work") is None
    assert "the device is dying" in caplog.text
