"""A program that trains ends with its own exit code, whatever would happen while Python takes its libraries down."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from local_aws.home import REPOSITORY_ROOT

ABORTS = "import atexit, os\natexit.register(os.abort)  # as a library whose threads still work\n"
SAYS = "from chronos_training.training.program import run_program; run_program(lambda: print('a') or 0)"
CHILD = """
from chronos_training.training.program import run_program

def main():
    import multiprocessing, time
    multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,), daemon=True).start()
    print("written")
    return 7

run_program(main)
"""


def python(program: str, *words: str, output: Any = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run `program` with `output` as its standard output, and return what came of it."""
    # Buffered, whatever the caller's environment says: what is written last is written while the program leaves.
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY_ROOT / "training/src"), "PYTHONUNBUFFERED": ""}
    line = [sys.executable, "-c", program, *words]
    return subprocess.run(line, env=environment, stdout=output, stderr=subprocess.PIPE, text=True, timeout=120)


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("chronos_training.training.train", ["--spec", "none.json", "--data", "d"], "ERROR: "),
        ("chronos_training.cli", ["validate-config", "none.yml"], "ERROR: "),
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


def test_output_that_is_lost_is_no_success():
    with open("/dev/full", "wb") as full:
        done = python(SAYS, output=full)
    assert (done.returncode, done.stderr) == (1, "ERROR: The output could not be written: No space left on device.\n")


def test_a_reader_that_has_seen_enough_is_no_failure():
    reader, writer = os.pipe()
    os.close(reader)
    done = python(SAYS, output=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
