"""Level container: a real image in runc, or in docker. The first that works here is taken.

runc is used directly, without podman: it stays the child of who starts it, so that nothing outlives the embedded AWS.
It needs root and Linux. Docker is for everybody else.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import resource
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.containers.command import Command, Wanted, require_program
from local_aws.containers.docker_archive import loaded
from local_aws.containers.oci import Image, ImageError, argv_of
from local_aws.containers.unpack import unpacked
from local_aws.home import MACHINE_VARIABLE, Home

CGROUP = "/local-aws"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OPEN_FILES = 65535  # Fargate's limit
# What docker and Fargate leave to root in a container.
_CAPABILITIES = [
    f"CAP_{name}"
    for name in (
        "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID",
        "SETPCAP", "SETUID", "SYS_CHROOT", "AUDIT_WRITE",
    )
]  # fmt: skip
# A file system of its own over the image's, which nobody else sees and which is gone with the last process.
# ROOT BUNDLE STATE NAME
_SCRIPT = """
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/rootfs" &&
exec runc --root "$3" run --keep --bundle "$2" "$4"
"""


def command_of(image: Image, wanted: Wanted, home: Path) -> Command:
    """Return how to run a real image here. ImageError with the reason why it cannot."""
    argv = argv_of(image, wanted.entrypoint, wanted.command)
    if not argv:
        raise ImageError("no command specified")
    engine, why = choose()
    if engine == "runc":
        return _runc(image, wanted, argv, home)
    if engine == "docker":
        return _docker(image, wanted, argv, home)
    raise ImageError(f"this is a real image, and nothing here can run it: {why}. Build it for level process")


@functools.cache
def choose() -> tuple[str, str]:
    """Return runc or docker, or neither, and why not."""
    why = _why_not_runc()
    if not why:
        return "runc", ""
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=30, check=False)
        reason = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no answer"])[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    return ("", f"runc: {why}; docker: {reason}") if reason else ("docker", f"runc: {why}")


def _why_not_runc() -> str:
    if os.geteuid() != 0 or shutil.which("runc") is None:
        return "it needs root" if shutil.which("runc") else "there is no runc"
    with tempfile.TemporaryDirectory() as trial:
        for name in ("lower", "upper", "work", "merged"):
            Path(trial, name).mkdir()
        mounting = "mount -t overlay o -o lowerdir=$0/lower,upperdir=$0/upper,workdir=$0/work $0/merged"
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", mounting, trial], capture_output=True, text=True, check=False
        )
    return done.stderr.strip()


@dataclass(frozen=True)
class _Runc(Command):
    name: str
    bundle: Path
    state: Path

    def kill(self, pid: int) -> None:
        # runc would pass on any signal but this one.
        done = subprocess.run([*self._words, "kill", self.name, "KILL"], capture_output=True, check=False)
        if done.returncode:
            super().kill(pid)

    def was_out_of_memory(self) -> bool:
        for path in (
            f"/sys/fs/cgroup/memory{CGROUP}/{self.name}/memory.oom_control",
            f"/sys/fs/cgroup{CGROUP}/{self.name}/memory.events",
        ):
            with contextlib.suppress(OSError):
                counts = dict(line.split() for line in Path(path).read_text().splitlines())
                return int(counts.get("oom_kill", 0)) > 0
        return False

    def clean(self) -> None:
        subprocess.run([*self._words, "delete", "--force", self.name], capture_output=True, check=False)
        shutil.rmtree(self.bundle, ignore_errors=True)

    @property
    def _words(self) -> list[str]:
        return ["runc", "--root", str(self.state)]


def _runc(image: Image, wanted: Wanted, argv: list[str], home: Path) -> Command:
    root = unpacked(image)
    path = {**image.environment, **wanted.environment}.get("PATH", _PATH)
    require_program(argv[0], wanted.working_directory or image.settings.get("WorkingDir") or "/", path, root)
    bundle = Home(home).containers / wanted.name
    shutil.rmtree(bundle, ignore_errors=True)
    for name in ("upper", "work", "rootfs"):
        (bundle / name).mkdir(parents=True)
    subprocess.run(["runc", "spec", "--bundle", str(bundle)], check=True, capture_output=True)
    specification = json.loads((bundle / "config.json").read_text())
    _adapt(specification, image, wanted, argv, root)
    (bundle / "config.json").write_text(json.dumps(specification))
    (bundle / "config.json").chmod(0o600)  # it has the container's secrets
    state = home / "runc"
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _SCRIPT, "sh"]
    env = {"PATH": os.environ.get("PATH", os.defpath)}
    if MACHINE_VARIABLE in wanted.environment:
        env[MACHINE_VARIABLE] = wanted.environment[MACHINE_VARIABLE]
    places = [str(root), str(bundle), str(state), wanted.name]
    return _Runc([*words, *places], env, bundle, "container", root, wanted.name, bundle, state)


def _adapt(specification: dict[str, Any], image: Image, wanted: Wanted, argv: list[str], root: Path) -> None:
    """Make of runc's own example what Fargate gives a container, with this computer's network."""
    process = specification["process"]
    given = {"PATH": _PATH, "HOME": "/root"}
    given |= image.environment | dict(wanted.environment)
    files = min(_OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    process |= {
        "terminal": False,
        "args": argv,
        "cwd": wanted.working_directory or image.settings.get("WorkingDir") or "/",
        "env": [f"{name}={value}" for name, value in given.items()],
        "user": _user(root, wanted.user or image.settings.get("User") or ""),
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), _CAPABILITIES),
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": files, "soft": files}],
    }
    specification["root"]["readonly"] = False
    specification["hostname"] = wanted.name
    linux = specification["linux"]
    linux["namespaces"] = [one for one in linux["namespaces"] if one["type"] not in ("network", "cgroup")]
    linux["cgroupsPath"] = f"{CGROUP}/{wanted.name}"
    if wanted.memory_bytes:
        linux["resources"]["memory"] = {"limit": wanted.memory_bytes}
    for path in ("/etc/resolv.conf", "/etc/hosts"):
        if Path(path).exists():
            bound = {"destination": path, "type": "bind", "source": path, "options": ["bind", "ro"]}
            specification["mounts"].append(bound)


def _user(root: Path, text: str) -> dict[str, Any]:
    """Return user and group as numbers, names looked up in the image."""
    user, _, group = text.partition(":")
    uid, gid = 0, 0
    if user.isdigit():
        uid = int(user)
        gid = next((int(line[3]) for line in _lines(root / "etc/passwd") if line[2] == user), 0)
    elif user:
        found = next((line for line in _lines(root / "etc/passwd") if line[0] == user), None)
        if found is None:
            raise ImageError(f"unable to find user {user}: no matching entries in passwd file")
        uid, gid = int(found[2]), int(found[3])
    if group.isdigit():
        gid = int(group)
    elif group:
        gid = next((int(line[2]) for line in _lines(root / "etc/group") if line[0] == group), gid)
    return {"uid": uid, "gid": gid}


def _lines(path: Path) -> list[list[str]]:
    with contextlib.suppress(OSError):
        return [line.split(":") for line in path.read_text().splitlines() if line.count(":") >= 3]
    return []


@dataclass(frozen=True)
class _Docker(Command):
    name: str
    variables: Path

    def kill(self, pid: int) -> None:
        if subprocess.run(["docker", "kill", self.name], capture_output=True, check=False).returncode:
            super().kill(pid)

    def was_out_of_memory(self) -> bool:
        words = ["docker", "inspect", "--format", "{{.State.OOMKilled}}", self.name]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() == "true"

    def clean(self) -> None:
        subprocess.run(["docker", "rm", "--force", self.name], capture_output=True, check=False)
        self.variables.unlink(missing_ok=True)


def _docker(image: Image, wanted: Wanted, argv: list[str], home: Path) -> Command:
    name = loaded(image, home / "docker-images")
    variables = Home(home).containers / f"{wanted.name}.env"
    variables.parent.mkdir(parents=True, exist_ok=True)
    # In a file, because everybody on this computer can read a command line. It cannot hold a line break.
    lines = {name: value.replace("\n", " ") for name, value in wanted.environment.items()}
    variables.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    variables.chmod(0o600)
    words = ["docker", "run", "--name", wanted.name, "--network", "host", "--env-file", str(variables)]
    words += ["--label", f"local-aws={home}", "--entrypoint", argv[0]]
    if wanted.memory_bytes:
        words += ["--memory", str(wanted.memory_bytes), "--memory-swap", str(wanted.memory_bytes)]
    if wanted.working_directory:
        words += ["--workdir", wanted.working_directory]
    if wanted.user:
        words += ["--user", wanted.user]
    env = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG") if name in os.environ}
    return _Docker([*words, name, *argv[1:]], env, home, "container", home, wanted.name, variables)


def clean_leftovers(home: Path) -> None:
    """End the containers of an embedded AWS that was killed, given its home."""
    state = home / "runc"
    for one in state.iterdir() if state.is_dir() else ():
        words = ["runc", "--root", str(state), "delete", "--force", one.name]
        subprocess.run(words, capture_output=True, check=False)
    shutil.rmtree(Home(home).containers, ignore_errors=True)
    if shutil.which("docker") and (home / "docker-images").is_dir():
        found = subprocess.run(
            ["docker", "ps", "-aq", "--filter", f"label=local-aws={home}"], capture_output=True, text=True
        )
        for name in found.stdout.split():
            subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
