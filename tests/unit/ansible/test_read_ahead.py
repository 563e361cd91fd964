"""Steps are taken between two forks, never during one, and never in a task's process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# In a process of its own: what is registered for forks stays registered.
PROGRAM = """
import os, threading, time
from chronos_training.ansible.read_ahead import ReadAhead

ahead, taken, begun, go_on = ReadAhead(), [], threading.Event(), threading.Event()

def slow():
    begun.set()
    go_on.wait(60)
    taken.append("slow")

def fork():
    child = os.fork()
    if child == 0:
        # 0 when it has one thread, all that was read before the fork, and reads nothing on its own
        os._exit(0 if threading.active_count() == 1 and not ahead._steps else 1)
    return child

def ended(child):
    assert os.waitpid(child, 0)[1] == 0

ahead.add(lambda: 1 / 0, slow, lambda: taken.append("last"))
assert taken == [], "nothing before the first fork"
first = fork()
assert begun.wait(60), "what one step raised was not left to the task"
threading.Timer(0.1, go_on.set).start()
second = fork()
assert taken[:1] == ["slow"], "a step that had begun was not finished before the fork"
ended(first)
ended(second)
ahead.pause()
third = fork()
for _ in range(600):
    if taken[-1] == "last":
        break
    time.sleep(0.1)
ahead.pause()
assert taken == ["slow", "last"], taken
ended(third)
"""


def test_steps_are_taken_between_forks_and_no_thread_lives_through_one():
    source = Path(__file__).parents[3] / "training/src"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
