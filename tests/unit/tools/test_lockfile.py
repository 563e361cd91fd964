"""poetry.lock → lines that pip installs with hashes."""

from pathlib import Path

import lockfile
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]

LOCK = """
[[package]]
name = "plain"
version = "1.0"
groups = ["main"]
files = [{file = "plain-1.0.whl", hash = "sha256:bb"}, {file = "plain-1.0.tar.gz", hash = "sha256:aa"}]

[[package]]
name = "old-python"
version = "2.0"
groups = ["main"]
markers = 'python_version == "3.11"'
files = [{file = "x.whl", hash = "sha256:cc"}]

[[package]]
name = "both"
version = "3.0"
groups = ["main", "tools"]
markers = {main = 'sys_platform == "linux"', tools = 'os_name == "nt"'}
files = [{file = "x.whl", hash = "sha256:dd"}]

[[package]]
name = "tool"
version = "4.0"
groups = ["tools"]
files = [{file = "x.whl", hash = "sha256:ee"}]
"""


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "poetry.lock"
    path.write_text(LOCK)
    return path


def test_only_the_wanted_groups_with_every_hash(lock):
    assert lockfile.requirements(lock, {"main"}) == [
        'both==3.0 ; (sys_platform == "linux") --hash=sha256:dd',
        'old-python==2.0 ; python_version == "3.11" --hash=sha256:cc',
        "plain==1.0 --hash=sha256:aa --hash=sha256:bb",
    ]


def test_a_package_of_two_groups_is_needed_where_either_needs_it(lock):
    lines = lockfile.requirements(lock, {"main", "tools"})
    assert """both==3.0 ; (sys_platform == "linux") or (os_name == "nt") --hash=sha256:dd""" in lines
    assert "tool==4.0 --hash=sha256:ee" in lines


def test_a_package_that_one_group_needs_everywhere_has_no_marker(tmp_path):
    path = tmp_path / "poetry.lock"
    path.write_text(LOCK.replace(", tools = 'os_name == \"nt\"'", ""))
    assert "both==3.0 --hash=sha256:dd" in lockfile.requirements(path, {"main", "tools"})


def test_what_a_group_does_without_is_left_out_of_that_group_alone(lock):
    lock.with_name("pyproject.toml").write_text('[tool.lockfile.left-out]\ntools = ["both", "tool"]\n')
    assert lockfile.requirements(lock, {"tools"}) == []
    assert 'both==3.0 ; (sys_platform == "linux") --hash=sha256:dd' in lockfile.requirements(lock, {"main", "tools"})


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_has_one_version_of_each_package_for_every_supported_python(python):
    names = []
    for line in lockfile.requirements(ROOT / "poetry.lock", {"main", "test", "tools"}):
        parsed = Requirement(line.split(" --hash")[0])
        if not parsed.marker or parsed.marker.evaluate(
            {"python_version": python, "python_full_version": f"{python}.0"}
        ):
            names.append(parsed.name)
    assert len(names) == len(set(names)) > 50


@pytest.mark.parametrize("lock", ["poetry.lock", "training/poetry.lock", "volatility/poetry.lock"])
def test_the_lock_names_no_package_source(lock):
    lines = (ROOT / lock).read_text().splitlines()
    assert not [line for line in lines if line.startswith(("url =", "[package.source]", "reference ="))]
