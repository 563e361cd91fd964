"""The closing line of `make test`."""

import subprocess
import sys
from pathlib import Path

SUMMARY = Path(__file__).resolve().parents[3] / "tools/test_summary.py"


def summary(folder):
    return subprocess.run([sys.executable, SUMMARY, folder], capture_output=True, text=True)


def test_adds_up_all_runners(tmp_path):
    (tmp_path / "unit.xml").write_text(
        '<testsuites><testsuite tests="10" failures="1" errors="1" skipped="2"/></testsuites>'
    )
    (tmp_path / "e2e.xml").write_text(
        '<testsuites><testsuite tests="3" failures="0" errors="0" skipped="0"/></testsuites>'
    )
    (tmp_path / "lint.one").write_text("passed\n")
    result = summary(tmp_path)
    assert result.stdout.splitlines()[-1] == "10 passed, 2 failed, 2 skipped"
    assert result.returncode == 1


def test_all_passed(tmp_path):
    (tmp_path / "lint.one").write_text("passed\n")
    result = summary(tmp_path)
    assert result.stdout.splitlines()[-1] == "1 passed, 0 failed"
    assert result.returncode == 0
