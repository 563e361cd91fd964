"""An image as a command of this computer."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_aws.containers import isolation, unpack
from local_aws.containers.oci import Image, ImageError, argv_of
from local_aws.home import Home


@dataclass(frozen=True)
class Wanted:
    """What is wanted of an image beside what it says itself. None: as the image says."""

    name: str  # of the container, unique on this computer
    entrypoint: list[str] | None = None
    command: list[str] | None = None
    # With MACHINE_VARIABLE, by which the processes of an embedded AWS that was killed are found.
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str | None = None
    user: str | None = None
    memory_bytes: int | None = None  # enforced at level container; see memory.py for processes


@dataclass(frozen=True)
class Command:
    """Run `argv` with exactly `env` in `cwd`, as the leader of a process group; then call `clean`.

    SIGTERM to the process reaches the container. `root` is the image's root on this disk.
    """

    argv: list[str]
    env: dict[str, str]
    cwd: Path
    level: str
    root: Path

    def kill(self, pid: int) -> None:
        """SIGKILL to all of it; `pid` is the process, which leads a group of its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    def was_out_of_memory(self) -> bool:
        """Whether the kernel ended it for its memory limit. Ask after its end, before `clean`."""
        return False

    def clean(self) -> None:
        """End what is left of it and take away what it used. Safe to call at any time, and again."""


@dataclass(frozen=True)
class _Isolated(Command):
    run: Path

    def clean(self) -> None:
        isolation.delete(self.run)


def command_of(image: Image, wanted: Wanted, home: Path) -> Command:
    """Return how to run an image here; unpacks it the first time (seconds). ImageError with the reason why not.

    What this run writes is below `home`.
    """
    if image.level != "process":
        from local_aws.containers import engines

        return engines.command_of(image, wanted, home)
    root = unpack.unpacked(image)
    argv = argv_of(image, wanted.entrypoint, wanted.command)
    if not argv:
        raise ImageError("no command specified")
    if not isolation.reason_not_to() and isolation.fits(root):
        return _isolated(image, wanted, root, argv, home)
    return _translated(image, wanted, root, argv)


def _isolated(image: Image, wanted: Wanted, root: Path, argv: list[str], home: Path) -> Command:
    env = {**image.environment, **wanted.environment}
    env["PATH"] = _with_this_computers(env.get("PATH", ""))
    env.setdefault("HOME", "/tmp")  # noqa: S108  (its own)
    # What Python compiles is kept for the next run of the same image, in which nothing changes; all else goes.
    env.setdefault("PYTHONPYCACHEPREFIX", str(root.parent / "pycache"))
    cwd = wanted.working_directory or image.settings.get("WorkingDir") or "/"
    top = Path(os.path.normpath("/" + cwd)).parts[1:2]
    if top and not Path(root, *top).is_dir() and not Path(cwd).is_dir() and Path("/", *top).exists():
        raise ImageError(f"there is no folder {cwd} in the image, and this computer has {Path('/', *top)} itself")
    require_program(argv[0], cwd, env["PATH"], root, Path("/"))
    run = Home(home).containers / wanted.name
    isolation.delete(run)
    run.mkdir(parents=True)
    words = isolation.words(run, root, home, cwd, argv)
    return _Isolated(words, env, run, "process", root, run)


def require_program(program: str, cwd: str, search: str, *roots: Path) -> None:
    """ImageError in a runtime's words when the program is not in any of these roots."""
    if "/" in program:
        places = [os.path.normpath(os.path.join(cwd, program))]
    else:
        places = [os.path.join(part, program) for part in search.split(os.pathsep) if part]
    for place in places:
        if any(os.path.lexists(root / place.lstrip("/")) for root in roots):
            return
    said = f"stat {program}: no such file or directory" if "/" in program else "executable file not found in $PATH"
    raise ImageError(f'unable to start container process: exec: "{program}": {said}')


def _translated(image: Image, wanted: Wanted, root: Path, argv: list[str]) -> Command:
    inside = Paths(root)
    given = {**image.environment, **wanted.environment}
    env = {name: inside.all_of(value) for name, value in given.items()}
    env["PATH"] = _with_this_computers(env.get("PATH", ""))
    env.setdefault("HOME", str(root))
    cwd = inside.folder(wanted.working_directory or image.settings.get("WorkingDir") or "/")
    cwd.mkdir(parents=True, exist_ok=True)
    return Command(inside.command(argv, env["PATH"], cwd), env, cwd, "process", root)


def _with_this_computers(path: str) -> str:
    """Programs that the image leaves to the system, like sh, are this computer's."""
    return os.pathsep.join(filter(None, [path, os.environ.get("PATH", os.defpath)]))


class Paths:
    """Paths of an image as this computer has them: /opt/venv/bin is ROOT/opt/venv/bin, if the image has that."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, path: str) -> Path:
        """A folder of the image, whether it is there or not."""
        return self._root / path.lstrip("/")

    def one(self, text: str) -> str:
        """`text`, or where it is if it is the absolute path of something in the image."""
        path = text.lstrip("/")
        if text.startswith("/") and path and os.path.lexists(self._root / path):
            return str(self._root / path)
        return text

    def all_of(self, text: str) -> str:
        """The same for a list of paths, like PATH."""
        return ":".join(map(self.one, text.split(":"))) if text.startswith("/") or ":/" in text else text

    def command(self, argv: list[str], search: str, cwd: Path) -> list[str]:
        """Its words translated; a script gets the interpreter that its first line names, if the image has that."""
        words = [self.one(word) for word in argv]
        program = words[0]
        if "/" not in program:
            found = next(
                (Path(part, program) for part in search.split(os.pathsep) if Path(part, program).exists()), None
            )
            program = str(found or program)
        elif not program.startswith("/"):
            program = str(cwd / program)
        return [*self._interpreter(Path(program)), program, *words[1:]]

    def _interpreter(self, script: Path) -> list[str]:
        try:
            with script.open("rb") as file:
                first = file.readline(256)
        except OSError:
            return []
        if not first.startswith(b"#!/"):
            return []
        words = first[2:].decode(errors="replace").split()
        return [self.one(words[0]), *words[1:]] if self.one(words[0]) != words[0] else []
