"""The agent package: complete, pure Python, and the same bytes from the same sources."""

import io
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import chronos_training
from chronos_training.control.publish import agent, s5cmd_program
from chronos_training.core.errors import TrainingError


@pytest.fixture(scope="module")
def archive():
    return agent.agent_archive(s5cmd_program.for_this_machine())


def names(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return tar.getnames()


def test_same_sources_same_bytes(archive):
    assert agent.agent_archive(s5cmd_program.for_this_machine()) == archive


def test_holds_our_package_and_pure_python_libraries(archive):
    found = names(archive)
    assert "app/chronos_training/core/layout.py" in found
    assert "lib/boto3/session.py" in found
    assert not [name for name in found if name.endswith((".so", ".pyc", ".dist-info")) or "__pycache__" in name]
    services = {name.split("/")[3] for name in found if name.startswith("lib/botocore/data/") and name.count("/") > 3}
    assert services == set(agent.SERVICES)
    assert len(archive) < 18e6  # of which the base models are half


def test_holds_what_an_instance_runs_and_nothing_of_a_persons_machine(archive):
    root = Path(chronos_training.__file__).parent
    shipped = {name.split("/")[2] for name in names(archive) if name.startswith("app/chronos_training/")}
    assert shipped == {"__init__.py", *agent.SHIPPED}
    for part in agent.SHIPPED:
        for path in (root / part).rglob("*.py"):
            imported = set(re.findall(r"^\s*(?:from|import) chronos_training\.(\w+)", path.read_text(), re.MULTILINE))
            assert imported <= set(agent.SHIPPED), f"{path.relative_to(root)} is shipped without what it imports"


def test_starts_without_anything_else_installed(archive, tmp_path):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(tmp_path)
    code = "import boto3, chronos_training.core.layout; [boto3.client(s, region_name='us-east-1') for s in %r]"
    env = {"PYTHONPATH": f"{tmp_path / 'app'}:{tmp_path / 'lib'}"}
    # -S: no site-packages, as under an image's own Python.
    result = subprocess.run(
        [sys.executable, "-S", "-c", code % (agent.SERVICES,)], env=env, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_every_service_that_the_instance_uses_is_described():
    root = Path(chronos_training.__file__).parent
    used = set()
    for part in ("core", "instance"):
        for path in (root / part).rglob("*.py"):
            used |= set(re.findall(r"""client\(\s*["']([a-z0-9-]+)["']""", path.read_text()))
    assert used <= set(agent.SERVICES)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(agent, "LIBRARIES", ("boto3", "no-such-library"))
    with pytest.raises(TrainingError, match="no-such-library is not installed here"):
        agent.agent_archive(s5cmd_program.for_this_machine())
