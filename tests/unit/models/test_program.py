"""A program that trains ends with its own exit code, whatever would happen while Python takes its libraries down."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from local_aws.home import REPOSITORY_ROOT

ABORTS = "import atexit, os\natexit.register(os.abort)  # as a library whose threads still work\n"
CHILD = """
from chronos_training.models.program import run_program

def main():
    import multiprocessing, time
    multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,), daemon=True).start()
    print("written")
    return 7

run_program(main)
"""


def python(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `program` and return what came of it."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY_ROOT / "training/src")}
    return subprocess.run(
        [sys.executable, "-c", program, *words], env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("chronos_training.models.train", ["--spec", "none.json", "--data", "d"], "ERROR: "),
        ("chronos_training.command", ["validate-config", "none.yml"], "ERROR: "),
    ],
)
def test_a_library_that_aborts_at_the_exit_changes_no_exit_code(tmp_path, module, words, said):
    if "--spec" in words:
        words = [*words, "--output", str(tmp_path)]
    program = f"{ABORTS}import runpy; runpy.run_module('{module}', run_name='__main__', alter_sys=True)"
    done = python(program, *words)
    assert done.returncode == 2 and said in done.stderr, done


def test_children_end_and_what_was_written_arrives():
    done = python(CHILD)  # returns when nobody holds its output any more; the child would hold it for ten minutes
    assert (done.returncode, done.stdout) == (7, "written\n")
