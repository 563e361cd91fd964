"""Which disk is taken: what the image mounted of the instance storage, or an untouched one. And on a loop device, for real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from chronos_training.agent import local_disk
from chronos_training.agent.local_disk import LABEL, MODEL, mounted_disks, unused_disk


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


def member(name, **changes):
    """A local disk that is a part of the volume that the Deep Learning images make at boot."""
    volume = disk(
        name="vg.01-lv_ephemeral", path="/dev/mapper/vg.01-lv_ephemeral", model=None, fstype="ext4", type="lvm",
        mountpoints=["/opt/dlami/nvme"],
    )  # fmt: skip
    return disk(path=f"/dev/{name}", name=name, fstype="LVM2_member", children=[volume | changes])


NEEDED = 10_000_000
SNAP = disk(path="/dev/loop0", model=None, size=1, fstype="squashfs", mountpoints=["/snap/lxd/1"], type="loop")


def test_the_volume_that_the_image_has_mounted_is_found():
    # The names of the two NVMe disks come in either order.
    assert mounted_disks({"blockdevices": [SNAP, ROOT, member("nvme1n1")]}) == ["/opt/dlami/nvme"]
    assert mounted_disks({"blockdevices": [member("nvme0n1"), ROOT, member("nvme2n1")]}) == ["/opt/dlami/nvme"]
    assert unused_disk({"blockdevices": [SNAP, ROOT, member("nvme1n1")]}) is None


def test_what_is_not_mounted_or_lies_on_another_disk_too_is_not_it():
    assert mounted_disks({"blockdevices": [ROOT, disk()]}) == []
    assert mounted_disks({"blockdevices": [ROOT, member("nvme1n1", mountpoints=[None])]}) == []
    assert mounted_disks({"blockdevices": [ROOT, disk(fstype="swap", mountpoints=["[SWAP]"])]}) == []
    spread = member("nvme2n1") | {"model": "Amazon Elastic Block Store"}
    assert mounted_disks({"blockdevices": [ROOT, member("nvme1n1"), spread]}) == []


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
    assert local_disk.use_local_disk(tmp_path / "work", NEEDED) is None


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
def seen(loop_device, monkeypatch, caplog):
    """Let lsblk show the loop device as EC2 shows a local disk; everything else is real."""
    real = local_disk._run
    shown = {"blockdevices": [disk(path=loop_device)]}

    def run(*words):
        return json.dumps(shown) if words[0] == "lsblk" else real(*words)

    caplog.set_level("INFO")
    monkeypatch.delenv("INSTANCE_ROOT", raising=False)
    monkeypatch.setattr(local_disk, "_run", run)
    return loop_device


@pytest.fixture
def dlami(loop_device, seen, tmp_path, monkeypatch):
    """What dlami-nvme.service leaves: the volume with a file system, mounted, and lsblk that shows it on its disk."""
    mounted = tmp_path / "opt/dlami/nvme"
    mounted.mkdir(parents=True)
    subprocess.run(["mkfs.ext4", "-q", loop_device], check=True)
    subprocess.run(["mount", loop_device, str(mounted)], check=True)
    real = local_disk._run
    shown = {"blockdevices": [ROOT, member("nvme1n1", mountpoints=[str(mounted)])]}
    monkeypatch.setattr(local_disk, "_run", lambda *words: json.dumps(shown) if words[0] == "lsblk" else real(*words))
    yield mounted
    for path in (tmp_path / "work", mounted):
        subprocess.run(["umount", str(path)], capture_output=True)


def test_the_run_works_in_a_folder_of_the_images_own_volume(dlami, tmp_path, caplog):
    (dlami / "precious").write_text("kept")
    work = tmp_path / "work"
    assert local_disk.use_local_disk(work, NEEDED) == str(dlami)
    assert os.path.ismount(work)
    (work / "file").write_text("data")
    assert (dlami / LABEL / "file").read_text() == "data" and (dlami / "precious").read_text() == "kept"
    assert f"working on the local disk mounted at {dlami}: 0.1 of 0.1 GB free" in caplog.text
    # The machine restarts: the image mounts its volume, and ours is brought back.
    subprocess.run(["umount", str(work)], check=True)
    local_disk.mount_again(work)
    assert (work / "file").read_text() == "data"


def test_a_volume_that_is_too_small_is_left_to_others(dlami, tmp_path, caplog):
    assert local_disk.use_local_disk(tmp_path / "work", 10**9) is None
    assert "0.1 of 0.1 GB free, but this run needs 1.0 GB" in caplog.text
    assert "working on the root volume: " in caplog.text
    assert os.listdir(dlami) == ["lost+found"]


def test_a_read_only_volume_is_left_alone(dlami, tmp_path, caplog):
    subprocess.run(["mount", "-o", "remount,ro", str(dlami)], check=True)
    assert local_disk.use_local_disk(tmp_path / "work", NEEDED) is None
    assert "it is read-only" in caplog.text


def test_a_blank_disk_is_formatted_and_mounted(seen, tmp_path, caplog):
    work = tmp_path / "work"
    assert local_disk.use_local_disk(work, NEEDED) == seen
    assert os.path.ismount(work)
    assert f"working on the local disk {seen}, which was unused: 0.1 of 0.1 GB free" in caplog.text
    (work / "file").write_text("data")
    assert local_disk.use_local_disk(work, NEEDED) is None  # the second time there is nothing to do
    assert (work / "file").read_text() == "data"


def test_a_disk_that_is_not_blank_after_all_is_left_alone(seen, tmp_path):
    subprocess.run(["mkfs.ext4", "-q", "-L", "precious", seen], check=True)
    assert local_disk.use_local_disk(tmp_path / "work", NEEDED) is None
    label = subprocess.run(["blkid", "-p", "-o", "value", "-s", "LABEL", seen], capture_output=True, text=True).stdout
    assert label.strip() == "precious"


def test_a_failure_leaves_the_work_on_the_root_volume(seen, tmp_path, monkeypatch, caplog):
    run = local_disk._run

    def broken(*words):
        if words[0] == "mkfs.ext4":
            raise subprocess.CalledProcessError(1, words, stderr="the device is dying")
        return run(*words)

    monkeypatch.setattr(local_disk, "_run", broken)
    assert local_disk.use_local_disk(tmp_path / "work", NEEDED) is None
    assert "the device is dying" in caplog.text
