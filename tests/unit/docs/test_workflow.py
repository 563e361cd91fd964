"""The workflow that deploys: each job may do what it needs, actions are pinned, what people typed is never part of a script."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FILE = ROOT / ".github/workflows/volatility.yml"
WORKFLOW = yaml.safe_load(FILE.read_text(encoding="utf-8"))
JOBS: dict[str, Any] = WORKFLOW["jobs"]
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]
SIGNED_IN = {"plan", "apply", "rollback"}


def test_the_order() -> None:
    needs = {name: job.get("needs") for name, job in JOBS.items()}
    assert needs == {"test": None, "plan": "test", "approve": "plan", "apply": "approve", "rollback": "apply"}
    assert WORKFLOW["concurrency"] == {"group": "volatility-dev", "cancel-in-progress": False}


def test_least_permissions() -> None:
    assert WORKFLOW["permissions"] == {}
    for name, job in JOBS.items():
        wanted = {"contents": "read"} if name != "approve" else {}
        assert job["permissions"] == wanted | ({"id-token": "write"} if name in SIGNED_IN else {}), name
        assert job.get("environment") == ("dev" if name in SIGNED_IN else {"approve": "dev-approval"}.get(name)), name
        assert job["timeout-minutes"] <= 60


@pytest.mark.parametrize(("job", "step"), STEPS)
def test_a_step(job: str, step: dict[str, Any]) -> None:
    if "uses" in step:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
        assert "checkout" not in step["uses"] or step["with"]["persist-credentials"] is False
        return
    assert "${{" not in step["run"], f"{job}: a value becomes an environment variable, not a part of the script"
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run(
        [shellcheck, "--shell=bash", "-"], input=step["run"], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout


# Debian's versions are of the base image's own suite: pinned, an old one is refused as soon as a fix replaces it.
HADOLINT = ["hadolint", "--ignore", "DL3008", str(ROOT / "volatility/Containerfile")]


@pytest.fixture(scope="session")
def programs() -> Path:
    """The locked linters of the group `workflows`, of which each carries a program."""
    command = [sys.executable, str(ROOT / "tools/group_packages.py"), "workflows"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"the linters cannot be installed here: {done.stderr.strip()}")
    return Path(done.stdout.strip()) / "bin"


@pytest.mark.parametrize("linter", [["zizmor", "--offline", "--no-progress", str(FILE)], HADOLINT])
def test_locked_linters_find_nothing(programs: Path, linter: list[str]) -> None:
    done = subprocess.run([programs / linter[0], *linter[1:]], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_a_planted_fault(programs: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(FILE.read_text().replace('checkout --quiet --detach "$BEFORE"', "checkout ${{ github.head_ref }}"))
    command = [programs / "zizmor", "--offline", "--no-progress", str(wrong)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode != 0 and "template-injection" in done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    """It is no package of its makers', so it is not locked; who has it installed, uses it."""
    found = shutil.which("actionlint")
    if found is None:
        pytest.skip("actionlint is not installed")
    done = subprocess.run([found, str(FILE)], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
