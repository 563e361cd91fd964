"""make train: the results are fetched before anything is verified, and no failure hides what comes after it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# Stands for ansible-playbook: tells which playbooks it was given, and fails for those of FAILING.
PLAY = """#!/bin/sh
echo "$*"
for playbook; do case " $FAILING " in *" ${playbook##*/} "*) exit 2 ;; esac; done
"""
START = "playbooks/provision_infrastructure.yml playbooks/publish_runtime.yml playbooks/publish_dataset.yml "
START += "playbooks/launch_training.yml"
END = [f"playbooks/{name}.yml" for name in ("monitor_training", "fetch_run", "verify_cleanup")]


@pytest.mark.parametrize(
    "failing", ["", *(path.split("/")[1] for path in END), "monitor_training.yml verify_cleanup.yml"]
)
def test_every_part_of_the_end_is_done(tmp_path: Path, failing: str) -> None:
    play = tmp_path / "play"
    play.write_text(PLAY)
    done = subprocess.run(
        ["make", "--no-print-directory", "-o", "setup", "train", f"PLAY=sh {play}"],
        cwd=ROOT,
        env={**os.environ, "FAILING": failing, "MAKEFLAGS": ""},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.stdout.splitlines() == [START, *END], done.stderr
    assert (done.returncode == 0) == (failing == "")


def test_what_was_not_launched_is_not_watched(tmp_path: Path) -> None:
    play = tmp_path / "play"
    play.write_text(PLAY)
    done = subprocess.run(
        ["make", "--no-print-directory", "-o", "setup", "train", f"PLAY=sh {play}"],
        cwd=ROOT,
        env={**os.environ, "FAILING": "launch_training.yml", "MAKEFLAGS": ""},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0 and done.stdout.splitlines() == [START]
