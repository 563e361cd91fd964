"""Make .venv: the locked packages, the two collections, our own package. Standard library only.

A stamp is written last, so the next call redoes an interrupted set-up. `--check` only compares the stamp.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".chronos-setup"
CACHE = ROOT / ".cache"
LOG = CACHE / "setup.log"
# Whatever decides what ends up in .venv.
INPUTS = [
    "poetry.lock",
    "training/pyproject.toml",
    "training/src/chronos_training/control/publish/installer.py",
    "tools/collections.txt",
    "tools/setup.py",
    "tools/lockfile.py",
]
COLLECTIONS = ("ansible_collections/amazon/aws/", "ansible_collections/community/aws/")


def stamp(python: str) -> str:
    """Return what a complete set-up with this Python version looks like, as one line."""
    digest = hashlib.sha256()
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes() + b"\0")
    # The folder too: scripts in a virtual environment name it, so a copied or moved checkout needs its own.
    return f"{digest.hexdigest()} python {python} in {ROOT}\n"


def is_complete() -> bool:
    """Return whether .venv was made completely, from these inputs, by the interpreter that is running it."""
    version = ".".join(map(str, sys.version_info[:3]))
    if not os.access(VENV / "bin" / "python", os.X_OK):
        return False  # the interpreter it was made with is gone
    try:
        return STAMP.read_text(encoding="utf-8") == stamp(version)
    except OSError:
        return False


class SetupError(Exception):
    """One sentence for the person."""


def run(what: str, *command: str | Path) -> None:
    """Run a command with its output in the log. SetupError with the log's end when it fails."""
    import subprocess

    # -I drops PYTHONPATH and the like in our own process; children get the same protection from this.
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    # In the project, so that an empty or read-only home directory serves as well.
    env.setdefault("PIP_CACHE_DIR", str(CACHE / "pip"))
    env.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PIP_REQUIRE_VIRTUALENV="0")
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n== {what}\n")
        log.flush()
        code = subprocess.run([str(part) for part in command], stdout=log, stderr=log, env=env, cwd=ROOT).returncode
    if code:
        lines = [line for line in LOG.read_text(encoding="utf-8", errors="replace").splitlines() if "ERROR" in line]
        detail = f" pip said: {lines[-1].removeprefix('ERROR: ')}" if lines else ""
        raise SetupError(f"could not {what}.{detail} The whole output is in {LOG.relative_to(ROOT)}.")


def make_venv(python: Path) -> None:
    """Make an empty virtual environment in place of whatever is there."""
    import shutil

    shutil.rmtree(VENV, ignore_errors=True)
    run("make the virtual environment", sys.executable, "-m", "venv", VENV)


def install_packages(python: Path) -> None:
    """Install exactly the locked files, each checked by its hash: uv by pip, and everything by uv."""
    sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "training" / "src")]
    from lockfile import requirements

    from chronos_training.control.publish import installer

    lines = requirements(ROOT / "poetry.lock", {"main", "test", "tools"})
    wanted, first = CACHE / "controller-requirements.txt", CACHE / "uv-requirements.txt"
    wanted.write_text("\n".join(lines) + "\n", encoding="utf-8")
    first.write_text(next(line for line in lines if line.startswith("uv==")) + "\n", encoding="utf-8")
    run("install uv", python, "-m", "pip", "install", "--require-hashes", "--no-deps", "--requirement", first)
    words = ["--require-hashes", "--no-deps", "--requirement", str(wanted)]
    try:
        installer.install(VENV / "bin" / "uv", words, CACHE, LOG, python=python, pip=python)
    except installer.InstallError as error:
        raise SetupError(
            f"could not install the controller's packages. uv said: {error} The whole output is in"
            f" {LOG.relative_to(ROOT)}."
        ) from error


def site_packages() -> Path:
    """Return the virtual environment's site-packages folder."""
    return VENV / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def install_collections(python: Path) -> None:
    """Unpack the two collections from the bundle into site-packages, where molecule and ansible-lint find them too."""
    import shutil
    import zipfile

    folder = CACHE / "collections"
    shutil.rmtree(folder, ignore_errors=True)
    pip = (python, "-m", "pip", "download", "--require-hashes", "--no-deps", "--only-binary", ":all:")
    run("download the collections", *pip, "--dest", folder, "--requirement", ROOT / "tools/collections.txt")
    (bundle,) = folder.glob("*.whl")
    with zipfile.ZipFile(bundle) as archive:
        names = [name for name in archive.namelist() if name.startswith(COLLECTIONS)]
        archive.extractall(site_packages(), names)
    shutil.rmtree(folder)


def install_project(python: Path) -> None:
    """Install chronos_training in place, without a network: its build tool is already there."""
    pip = (python, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--editable")
    run("install chronos_training", *pip, ROOT / "training")


def compile_packages(python: Path) -> None:
    """Compile what was installed, on all cores: pip does it on one."""
    # A file that does not compile is somebody's template or test data, and nobody imports it.
    command = "import compileall, sys; compileall.compile_dir(sys.argv[1], quiet=2, workers=0)"
    run("compile the packages", python, "-c", command, site_packages())


def check(python: Path) -> None:
    """Import what the playbooks need, so that a broken set-up is not stamped as complete."""
    names = "ansible, boto3, moto.server, chronos_training, ansible_collections.community.aws.plugins.modules"
    run("import what was installed", python, "-c", f"import {names}")


def say(text: str) -> None:
    """Print `text`. If nobody can read it, stop: the next call starts over."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # what Python flushes at its exit would fail again
        if isinstance(error, BrokenPipeError):  # `| head` has seen enough
            sys.exit(141)
        raise SetupError(f"the output could not be written: {error.strerror}.") from error


def main() -> int:
    """Make .venv unless it is right. Returns the exit code."""
    import fcntl
    import time

    CACHE.mkdir(exist_ok=True)
    # Two set-ups at once would tear each other's files.
    with (CACHE / "setup.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_complete():
            return 0
        LOG.write_text("", encoding="utf-8")
        python = VENV / "bin" / "python"
        version = ".".join(map(str, sys.version_info[:3]))
        steps = {
            f"virtual environment (Python {version})": make_venv,
            "packages": install_packages,
            "collections": install_collections,
            "chronos_training": install_project,
            "compile": compile_packages,
            "check": check,
        }
        begun = time.monotonic()
        for number, (name, step) in enumerate(steps.items(), start=1):
            say(f"set-up {number}/{len(steps)}: {name}")
            step(python)
        STAMP.write_text(stamp(version), encoding="utf-8")
    say(f"set-up complete in {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if is_complete() else 1)
    if is_complete():
        sys.exit(0)
    try:
        sys.exit(main())
    except SetupError as error:
        sys.exit(f"Set-up stopped: {error}")
    except OSError as error:
        sys.exit(f"Set-up stopped: {error.strerror or error}: {error.filename or ROOT}.")
    except KeyboardInterrupt:
        sys.exit("Set-up interrupted; the next call starts over.")
