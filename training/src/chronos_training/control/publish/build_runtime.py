"""Build this machine's training environment and print its Python: `python -m chronos_training.control.publish.build_runtime [KIND]`.

The tests of the models run in it, so that they meet the very packages a run has. Nothing is uploaded.
"""

from __future__ import annotations

import sys
from pathlib import Path

from chronos_training.control.publish.environment import build
from chronos_training.control.publish.runtime import build_target, default_project
from chronos_training.core.errors import TrainingError


def python_of_this_machine(project: Path, kind: str = "chronos") -> Path:
    """Return the interpreter of the environment, built now unless it is there. Progress goes to stderr."""
    target = build_target(project, chosen="current", target="this_machine", kind=kind)
    built = build(target, project / ".cache", lambda line: print(line, file=sys.stderr, flush=True))
    return built.root / "bin/python3"


if __name__ == "__main__":
    try:
        print(python_of_this_machine(default_project(), *sys.argv[1:2]))
    except TrainingError as error:
        sys.exit(f"ERROR: {error}")
