"""Layers laid over each other, as the OCI specification says."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from local_aws.containers.oci import Image, ImageError
from local_aws.containers.unpack import unpacked


def _layer(path: Path, *members: tuple[str, str]) -> Path:
    """A layer of files; a text that begins with > is a link, None-like ! a folder."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in members:
            member = tarfile.TarInfo(name)
            if text.startswith(">"):
                member.type, member.linkname = tarfile.SYMTYPE, text[1:]
            elif text == "!":
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            member.size = len(text) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(text.encode()) if member.isreg() else None)
    return path


def _root(tmp_path: Path, *layers: Path) -> Path:
    return unpacked(Image("sha256:" + "0" * 64, {}, layers), tmp_path / "images")


def test_a_later_layer_adds_replaces_and_deletes(tmp_path: Path):
    first = _layer(
        tmp_path / "1",
        ("a/kept", "old"),
        ("a/changed", "old"),
        ("a/gone", "old"),
        ("b", "!"),
        ("b/one", "1"),
        ("link", ">a/kept"),
    )
    second = _layer(tmp_path / "2", ("a/changed", "new"), ("a/.wh.gone", ""), ("b/.wh..wh..opq", ""), ("b/two", "2"))
    root = _root(tmp_path, first, second)
    found = {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}
    assert found == {"a/kept": "old", "a/changed": "new", "b/two": "2", "link": "old"}


def test_nothing_leaves_the_root(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("safe")
    bad = _layer(tmp_path / "1", ("way", f">{outside}"), ("way/file", "overwritten"))
    try:
        _root(tmp_path, bad)
    except ImageError:
        pass  # either refused, or kept inside
    assert (outside / "file").read_text() == "safe"
    up = _layer(tmp_path / "2", ("ok", "1"))
    through = _layer(tmp_path / "3", ("way", f">{outside}"), ("way/.wh.file", ""))
    over = _layer(tmp_path / "4", ("way/.wh.file", ""))
    with pytest.raises(ImageError, match="leads out of the image"):
        unpacked(Image("sha256:" + "1" * 64, {}, (up, through, over)), tmp_path / "images")
    assert (outside / "file").exists()


def test_a_broken_layer_is_said(tmp_path: Path):
    (tmp_path / "1").write_bytes(b"no archive")
    with pytest.raises(ImageError, match="failed to register layer"):
        _root(tmp_path, tmp_path / "1")
