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


def test_says_where_the_time_went(tmp_path):
    cases = (
        '<testcase classname="tests.unit.test_a" name="x" time="1.5"/>'
        '<testcase classname="tests.unit.test_a.TestB" name="y" time="70"/>'
        '<testcase classname="tests.unit.core.test_c" name="z" time="3"/>'
    )
    (tmp_path / "unit.xml").write_text(f'<testsuites><testsuite tests="3">{cases}</testsuite></testsuites>')
    (tmp_path / "seconds").write_text("unit 75\nlint 6\n")
    words = [line.split() for line in summary(tmp_path).stdout.splitlines() if line]
    assert words[:2] == [["unit", "1:15"], ["lint", "0:06"]]
    assert words[2:4] == [["tests/unit/test_a.py", "72", "s"], ["tests/unit/core/test_c.py", "3", "s"]]
