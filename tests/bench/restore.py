"""From nothing to the first `import torch, chronos`: the image, the archive, pip and uv."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chronos_training.agent import mounting
from chronos_training.agent.environment import install_environment
from chronos_training.control.publish import environment, squashfs
from chronos_training.control.publish.runtime import build_target, default_project
from chronos_training.control.publish.squashfs import MISSING

from .storage import BUCKET, storage
from .table import Row, Section, Target

IMPORT = "import torch, chronos"
CACHE = default_project() / ".cache"
ABOUT = """Each way begins in an empty folder and ends with a Python that can start; then `import torch, chronos` is timed twice.
Image and archive are fetched from S3 and checked, as an instance does it; pip and uv get their wheels from a local folder.
The page cache is as the restore leaves it. "Warm local" is a second import out of the unpacked archive."""


def measure(folder: Path, rounds: int) -> Section:
    """Take every way in turn, `rounds` times."""
    say = _progress
    built = environment.build(
        build_target(default_project(), chosen="current", target="this_machine"), CACHE, say, archive=True
    )
    wheels, uv = _wheels(built.about["packages"]), _uv()
    seconds: dict[str, list[float]] = {}
    with storage(folder) as (s3, _, _):
        published = _publish(s3, built)
        ways: dict[str, Callable[[Path], Path]] = {
            "image": lambda path: _restored(s3, published, path),
            "archive": lambda path: _restored(s3, {**published, "image": None}, path),
            "pip": lambda path: _pip(wheels, path),
            "uv": lambda path: _with_uv(uv, wheels, path),
        }
        reason = MISSING if published["image"] is None else mounting.reason_not_to_mount()
        if reason:
            print(f"bench: no row for the image: {reason}", file=sys.stderr)
            del ways["image"]
        for number in range(rounds):
            for name, way in ways.items():
                say(f"restore, round {number + 1} of {rounds}: {name}")
                path = folder / "restored" / "environment"
                path.parent.mkdir()
                try:
                    for what, value in _timed(way, path):
                        seconds.setdefault(f"{name} {what}", []).append(value)
                finally:
                    _remove(path)
    return _section(ways, seconds, built)


def _timed(way: Callable[[Path], Path], path: Path) -> list[tuple[str, float]]:
    begun = time.monotonic()
    python = way(path)
    found = [("restored", time.monotonic() - begun)]
    for what in ("first import", "second import"):
        begun = time.monotonic()
        environment = {"PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        subprocess.run([str(python), "-c", IMPORT], check=True, env=environment, capture_output=True)
        found.append((what, time.monotonic() - begun))
    return found


def _section(ways: dict[str, Any], seconds: dict[str, list[float]], built: environment.Built) -> Section:
    size = built.unpacked_size / 1e9
    section = Section(f"Restore of an environment of {size:.2f} GB", ABOUT)
    for name in ways:
        for what in ("restored", "first import", "second import"):
            section.rows.append(Row(f"{name}: {what}", seconds[f"{name} {what}"]))
    median = {row.name: row.median for row in section.rows}
    warm = median["archive: second import"]
    best = "image" if "image" in ways else "archive"
    section.targets = [
        Target(
            f"pip / {best}, to a Python that can start",
            median["pip: restored"] / median[f"{best}: restored"],
            10,
            False,
        ),
        Target(f"first import from the {best} / warm local", median[f"{best}: first import"] / warm, 1.5),
    ]
    return section


def _publish(s3: Any, built: environment.Built) -> dict[str, Any]:
    def put(path: Path) -> dict[str, Any]:
        s3.upload_file(str(path), BUCKET, path.name)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return {"key": path.name, "sha256": digest, "size": path.stat().st_size}

    image = put(built.image) if built.image and squashfs.can_pack() else None
    assert built.archive is not None
    archive = put(built.archive)
    return {**archive, "archive": archive, "image": image, "packages": built.about["packages"]}


def _restored(s3: Any, published: dict[str, Any], path: Path) -> Path:
    return install_environment(s3, BUCKET, published, path, lambda line: None)


def _pip(wheels: Path, path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(path)], check=True)
    _quietly([str(path / "bin/pip"), "install", *_offline(wheels)])
    return path / "bin/python"


def _with_uv(uv: Path, wheels: Path, path: Path) -> Path:
    _quietly([str(uv), "venv", "--no-config", "--python", sys.executable, str(path)])
    options = ["--no-config", "--no-cache", "--compile-bytecode", "--python", str(path / "bin/python")]
    _quietly([str(uv), "pip", "install", *options, *_offline(wheels)])
    return path / "bin/python"


def _offline(wheels: Path) -> list[str]:
    return ["--no-index", "--find-links", str(wheels), "--no-deps", "-r", str(wheels / "requirements.txt")]


def _wheels(packages: dict[str, str]) -> Path:
    """The wheels of the environment's packages in a folder, downloaded once."""
    text = "".join(f"{name}=={version}\n" for name, version in sorted(packages.items()))
    folder = CACHE / "bench" / f"wheels-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not (folder / "requirements.txt").exists():
        _progress("downloading the wheels for pip and uv, once")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "wanted.txt").write_text(text)
        words = [sys.executable, "-m", "pip", "download", "--only-binary=:all:", "--no-deps", "--dest", str(folder)]
        _quietly([*words, "-r", str(folder / "wanted.txt")])
        (folder / "wanted.txt").rename(folder / "requirements.txt")
    return folder


def _uv() -> Path:
    folder = CACHE / "bench/uv"
    if not (folder / "bin/uv").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        _quietly([str(folder / "bin/pip"), "install", "uv"])
    return folder / "bin/uv"


def _quietly(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(words[:4])}: {(done.stderr or done.stdout).strip()[-500:]}")


def _remove(path: Path) -> None:
    for thread in threading.enumerate():
        if thread.name == mounting.READ_AHEAD:
            thread.join()
    if os.path.ismount(path):
        subprocess.run(["umount", str(path)], check=True)
    shutil.rmtree(path.parent)


def _progress(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)
