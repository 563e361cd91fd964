"""Archives: the same content gives the same bytes, and comes out as it went in."""

import hashlib
import io
import os
import tarfile

import pytest
import zstandard

from chronos_training.control.publish.packing import pack_bytes, pack_folder


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    (root / "lib/empty").mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "bin/python3.11").write_bytes(b"\x7fELF")
    (root / "bin/python3.11").chmod(0o700)
    (root / "bin/python3").symlink_to("python3.11")
    (root / "lib/ä long name with spaces.txt").write_text("ü" * 3_000_000)
    (root / "lib/zero").write_bytes(b"")
    return root


def unpack(archive, target):
    plain = zstandard.ZstdDecompressor().stream_reader(archive.read_bytes())
    with plain, tarfile.open(fileobj=plain, mode="r|") as tar:
        tar.extractall(target)


def test_comes_out_as_it_went_in(folder, tmp_path):
    archive, out = tmp_path / "a.tar.zst", tmp_path / "out"
    packed = pack_folder(folder, archive)
    assert packed.sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert packed.size == archive.stat().st_size
    assert (packed.files, packed.unpacked_size) == (3, 6_000_004)
    unpack(archive, out)
    assert (out / "lib/ä long name with spaces.txt").read_text() == "ü" * 3_000_000
    assert (out / "bin/python3").readlink().name == "python3.11"
    assert (out / "lib/empty").is_dir()
    assert os.access(out / "bin/python3.11", os.X_OK)
    assert not os.access(out / "lib/zero", os.X_OK) or os.geteuid() == 0


def test_same_content_same_bytes_whatever_times_owners_and_cores(folder, tmp_path, monkeypatch):
    first = pack_folder(folder, tmp_path / "first")
    for path in sorted(folder.rglob("*")):
        os.utime(path, (1, 1), follow_symlinks=False)
    (folder / "lib/zero").chmod(0o640)
    monkeypatch.setattr("chronos_training.control.publish.packing.os.sched_getaffinity", lambda _: set(range(7)))
    assert pack_folder(folder, tmp_path / "second") == first


def test_a_changed_byte_or_mode_changes_the_digest(folder, tmp_path):
    digests = {pack_folder(folder, tmp_path / "a").sha256}
    (folder / "lib/zero").write_bytes(b"1")
    digests.add(pack_folder(folder, tmp_path / "a").sha256)
    (folder / "lib/zero").chmod(0o755)
    digests.add(pack_folder(folder, tmp_path / "a").sha256)
    assert len(digests) == 3


def test_bytes_do_not_depend_on_order_or_clock(monkeypatch):
    entries = {"app/b.py": b"print(2)", "app/a.py": b"print(1)"}
    first = pack_bytes(entries)
    monkeypatch.setattr("time.time", lambda: 12345.0)
    assert pack_bytes(dict(reversed(entries.items()))) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        members = tar.getmembers()
        assert [(m.name, m.mode, m.mtime, m.uid, m.uname) for m in members] == [
            ("app/a.py", 0o644, 0, 0, ""),
            ("app/b.py", 0o644, 0, 0, ""),
        ]
