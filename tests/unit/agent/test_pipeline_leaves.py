"""The pipeline's process is gone once it has switched the machine off, whatever its threads do."""

from __future__ import annotations

import os
import subprocess
import sys

from local_aws.home import REPOSITORY_ROOT

PROGRAM = """
import time
from concurrent.futures import ThreadPoolExecutor
from chronos_training.agent import pipeline
ThreadPoolExecutor(1).submit(time.sleep, 600)  # an upload that hangs
pipeline.run_and_leave()
"""


def test_a_thread_that_hangs_does_not_hold_the_power_off(tmp_path):
    switch = tmp_path / "bin/shutdown"
    switch.parent.mkdir()
    switch.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/shut-down\n')
    switch.chmod(0o755)
    environment = {
        **os.environ,
        "INSTANCE_ROOT": str(tmp_path / "root"),
        "PYTHONPATH": str(REPOSITORY_ROOT / "training/src"),
        "PATH": f"{switch.parent}:{os.environ['PATH']}",
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, timeout=120, check=False)
    assert done.returncode == 1  # there is no run.json here
    assert (tmp_path / "shut-down").read_text() == "-h now\n"
    assert "could not end the run properly" in (tmp_path / "root/var/log/chronos-training/pipeline.log").read_text()
