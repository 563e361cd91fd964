"""What the real images carry, as docker, podman or buildah build them: the locked packages and our files on a plain system.

Where no such tool works the images of level `process` are all there is, and nothing is shown. In place of python:slim, where it cannot be
pulled, lies this computer's own Debian, which has Python's pip for the stages before the last; that is not looked at.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from chronos_training.control.volatility import image_context
from local_aws.containers import tools, unpack
from local_aws.home import REPOSITORY_ROOT

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]

BUILDS = re.compile(
    r"(x86_64-linux-gnu-|aarch64-linux-gnu-)?(cc|c\+\+|gcc|g\+\+|clang|clang\+\+|cpp|ld|as|make|cmake|ninja|rustc|cargo|go)(-[0-9.]+)?"
)
FETCHES = {"curl", "wget", "git", "ssh", "nc", "ncat", "telnet"}


class Built:
    """An image, unpacked."""

    def __init__(self, target: str, context: Path, folder: Path) -> None:
        tool = tools.choose()[0]
        assert tool
        name = f"localhost/volatility-contents:{target}"
        words = ["build", "--level", "container", "--target", target, "--tag", name, str(context)]
        environment = {**os.environ, "HOME": str(folder)}
        command = [sys.executable, "-m", "local_aws.containers", *words]
        done = subprocess.run(
            command, cwd=REPOSITORY_ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        layout = folder / "layout"
        if tool.name == "docker":
            archive = folder / "image.tar"
            subprocess.run(["docker", "save", "--output", archive, name], check=True)
            with tarfile.open(archive) as packed:
                packed.extractall(layout, filter="data")
        else:
            subprocess.run([tool.name, "push", name, f"oci:{layout}:{target}"], check=True, capture_output=True)
        self.target, self.root = target, folder / "root"
        [described] = json.loads((layout / "index.json").read_text())["manifests"]
        manifest = blob(layout, described)
        self.settings: dict[str, Any] = blob(layout, manifest["config"])["config"]
        self.root.mkdir()
        for place, layer in enumerate(manifest["layers"]):
            unpack.apply(layout / "blobs" / layer["digest"].replace(":", "/"), self.root, first=not place)

    def files(self, *below: str) -> Iterator[Path]:
        """Files of the image, links to nowhere included."""
        for start in below or (".",):
            for folder, _, names in os.walk(self.root / start):
                yield from (Path(folder, name) for name in names)

    def named(self, path: Path) -> str:
        return f"/{path.relative_to(self.root)}"


def blob(layout: Path, described: dict[str, Any]) -> Any:
    return json.loads((layout / "blobs" / described["digest"].replace(":", "/")).read_text())


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.geteuid() != 0:
        pytest.skip("layers with owners are unpacked by root")
    tool, why = tools.choose()
    if tool is None:
        pytest.skip(f"no real image can be built here: {why}")
    folder = tmp_path_factory.mktemp("context")
    image_context.write(REPOSITORY_ROOT, folder)
    return folder


@pytest.fixture(scope="module", params=image_context.TARGETS)
def image(request: pytest.FixtureRequest, context: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(request.param, context, tmp_path_factory.mktemp(request.param))


def test_nothing_that_builds_or_fetches_and_no_cache(image: Built) -> None:
    programs = [one for one in image.files() if one.parent.name in ("bin", "sbin")]
    assert any(one.name.startswith("python3") for one in programs)
    found = [image.named(one) for one in programs if BUILDS.fullmatch(one.name) or one.name in FETCHES]
    assert found == []
    kept = [*image.files("root/.cache", "tmp", "var/lib/apt/lists", "var/cache/pip", "home")]
    kept += [one for one in image.files("var/cache/apt") if one.suffix == ".deb"]
    assert [image.named(one) for one in kept] == []


def test_no_root_and_nothing_of_its_own_to_write_to(image: Built) -> None:
    assert image.settings["User"] == "1000"
    assert image.settings["Env"].count("HOME=/tmp") == 1
    ours = [*image.files("app", "opt/venv")]
    assert len(ours) > 500
    writable = [image.named(one) for one in ours if not one.is_symlink() and writes(one.lstat())]
    assert writable == []


def writes(found: os.stat_result) -> bool:
    """Whether the user 1000 may write there."""
    return found.st_uid == 1000 or bool(found.st_mode & stat.S_IWOTH)


def test_the_packages_are_those_of_the_lock(image: Built, context: Path) -> None:
    lock = (context / f"requirements-{image.target}.txt").read_text()
    [python] = (image.root / "opt/venv/lib").glob("python3.*")
    # The lock has some packages in a version for each Python.
    where = {"python_version": python.name[6:], "python_full_version": f"{python.name[6:]}.0"}
    locked = [Requirement(line.partition(" --hash")[0]) for line in lock.splitlines() if "==" in line]
    wanted = {
        f"{normal(one.name)} {str(one.specifier).removeprefix('==')}"
        for one in locked
        if one.marker is None or one.marker.evaluate(where)
    }
    found = set()
    for one in image.files("opt/venv"):
        if one.name == "METADATA" and one.parent.suffix == ".dist-info":
            said = one.read_text(errors="replace")
            name, version = (re.search(rf"^{word}: (.+)$", said, re.MULTILINE) for word in ("Name", "Version"))
            assert name and version
            found.add(f"{normal(name[1])} {version[1]}")
    # Before Python 3.12 a virtual environment begins with setuptools; the images' own Python is 3.12.
    if python.name != "python3.12":
        found = {one for one in found if not one.startswith("setuptools ")}
    assert len(wanted) > 10 and found == wanted


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_our_files_carry_no_secret_and_no_test(image: Built) -> None:
    names = {image.named(one) for one in image.files("app")}
    assert "/app/chronos_volatility/serving/handler.py" in names
    assert [one for one in names if re.search(r"/tests?/|\.env$|\.pem$|\.git/|credentials", one)] == []
