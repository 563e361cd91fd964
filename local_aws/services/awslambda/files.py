"""What environments are made of on this computer: the function's code, the runtime, and the command that starts it."""

from __future__ import annotations

import functools
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path

from local_aws.containers.command import Command
from local_aws.home import REPOSITORY_ROOT
from local_aws.services.awslambda.functions import Function

_SANDBOX = Path(__file__).with_name("sandbox.py")
TASK, RUNTIME = "/var/task", "/var/runtime"


class NotStartable(Exception):
    """The environment cannot be made. `args[0]` is for a person."""


def of_zip(function: Function, code: Path, own: Path, given: Mapping[str, str], pipe: int) -> Command:
    """Return the command of a Python function.

    `code` is its unpacked archive, `own` a folder for this environment alone, `given` are Lambda's variables. Records of the
    logger go to `pipe` in frames (see logs.py).
    """
    packages = runtime_packages()
    separated = sandbox_works()
    task, runtime = (TASK, RUNTIME) if separated else (str(code), str(packages))
    variables = dict(function.variables)
    path = [task, *filter(None, [variables.get("PYTHONPATH")]), runtime]
    # -S: what happens to be installed beside this interpreter is not in Lambda's runtime.
    command = [_interpreter(), "-S", "-m", "awslambdaric", function.handler]
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "LANG": "en_US.UTF-8",
        "PYTHONIOENCODING": "utf-8",
        "TZ": ":UTC",
        "LAMBDA_TASK_ROOT": task,
        "LAMBDA_RUNTIME_DIR": runtime,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        **({} if separated else {"TMPDIR": str(own)}),
        "_LAMBDA_TELEMETRY_LOG_FD": str(pipe),
        **variables,
        "PYTHONPATH": ":".join(path),
        **given,
    }
    if separated:
        command = _sandboxed(command, {TASK: str(code), RUNTIME: str(packages)}, function.storage)
    return Command(command, environment, code, "process", code)


def unpacked(folder: Path, sha: str, archive: bytes) -> Path:
    """Return the folder with the content of a function's archive, unpacked now unless it is there."""
    final = folder / sha.replace("/", "_").replace("+", "-").rstrip("=")
    with _unpacking:
        if final.is_dir():
            return final
        partial = final.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            with zipfile.ZipFile(io.BytesIO(archive)) as opened:
                for item in opened.infolist():
                    path = Path(opened.extract(item, partial))
                    mode = item.external_attr >> 16
                    if stat.S_ISREG(mode):
                        path.chmod(stat.S_IMODE(mode) | 0o400)
        except (zipfile.BadZipFile, OSError) as error:
            raise NotStartable(f"The archive of the function could not be unpacked: {error}") from error
        partial.mkdir(parents=True, exist_ok=True)
        partial.rename(final)
        return final


_unpacking = threading.Lock()


@functools.cache
def runtime_packages() -> Path:
    """Return the folder with AWS's runtime interface client and SDK, installed now unless they are there."""
    program = REPOSITORY_ROOT / "tools" / "group_packages.py"
    done = subprocess.run([sys.executable, program, "functions"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotStartable(f"The packages that functions run by are missing: {done.stderr.strip()}")
    return Path(done.stdout.strip())


@functools.cache
def sandbox_works() -> bool:
    """Whether processes here may have a file system of their own. Found out by trying."""
    if sys.platform != "linux" or _interpreter().startswith(("/tmp/", "/var/")):  # noqa: S108 (which are hidden there)
        return False
    trial = _sandboxed([_interpreter(), "-I", "-S", "-c", ""], {TASK: "/usr", RUNTIME: "/usr"}, 1)
    return subprocess.run(trial, capture_output=True, timeout=30, check=False).returncode == 0


def _sandboxed(command: list[str], binds: dict[str, str], storage: int) -> list[str]:
    wanted = {"argv": command, "cwd": TASK, "binds": binds, "storage": storage}
    return [_interpreter(), "-I", "-S", str(_SANDBOX), json.dumps(wanted)]


def _interpreter() -> str:
    """The interpreter itself, not the virtual environment of the embedded AWS."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))
