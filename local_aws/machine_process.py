"""The host's side of one machine: its folder, its process, and the certainty that nothing of it is left.

The machine (what the level's command starts) holds the reading end of a pipe, the power line, whose only writing end is
here. A byte on it presses the power button. When the daemon dies, however it dies, the machine reads the end of the file
and kills its processes: that works on every Unix and through every wrapper, and closing the pipe on purpose is the
power switch.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from local_aws import fault_injection, processes
from local_aws.home import REPOSITORY_ROOT, Home, write_atomically
from local_aws.levels import virtual_disk
from local_aws.levels.base import Level
from local_aws.levels.listeners import Listeners, Serve

log = logging.getLogger("local_aws.machine_process")

SWITCH_OFF_TIMEOUT = 3.0  # seconds that a machine has to kill its processes once the power is cut
SOCKET_FOLDER_PREFIX = "laws"
MAX_SOCKET_PATH = 100  # bytes; the limit is 104 on macOS, 108 on Linux

# A machine must be in the set of machines before anybody looks for children that are none.
_spawning = threading.Lock()
_machine_pids: set[int] = set()


def spawn(words: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process of a service as a child of the daemon that is no orphan. Call `reap` when it is to end."""
    with _spawning:
        process = subprocess.Popen(words, start_new_session=True, **options)
        _machine_pids.add(process.pid)
    return process


def reap(process: subprocess.Popen[bytes]) -> int:
    """Kill the process group of what `spawn` started, if it still runs; return its exit code."""
    if process.poll() is None:  # else its number may be somebody else's
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    with _spawning:
        _machine_pids.discard(process.pid)
    return code


@dataclass(frozen=True)
class MachineSettings:
    """What the machine is told, as machine.json in the instance's folder."""

    instance_id: str
    folder: str
    marker: str
    control_socket: str
    endpoint: str
    metadata_endpoint: str  # empty where it has its real address
    user_data: str  # base64, as EC2 has it
    boot: int  # 1 for the first one
    level: str
    disk_bytes: int | None  # a disk of this size; None: as large as this computer's, or the volume's where it is real
    volume_bytes: int  # the size of the root volume

    @classmethod
    def read(cls, folder: Path) -> MachineSettings:
        return cls(**json.loads((folder / "machine.json").read_text()))

    @property
    def aws_port(self) -> int:
        port = urlsplit(self.endpoint).port
        assert port is not None
        return port


class Machine:
    """One instance that has user data, through all its boots. `metadata` and `aws` serve where it has its own network."""

    def __init__(self, home: Home, instance_id: str, level: Level, metadata: Serve, aws: Serve) -> None:
        self.home = home
        self.level = level
        self._serve = (metadata, aws)
        self._listeners: Listeners | None = None
        self.instance_id = instance_id
        self.folder = home.instance(instance_id)
        self.console = self.folder / "console.log"
        self.boots = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._power: int | None = None  # writing end of the pipe
        self._socket_folder: str | None = None
        self.folder.mkdir(parents=True, exist_ok=True)

    def boot(self, endpoint: str, metadata_endpoint: str, user_data: str, volume_gib: int) -> None:
        """Start the machine; returns at once, the console tells what it does. `volume_gib` is the root volume's size."""
        self.boots += 1
        (self.folder / "power.json").unlink(missing_ok=True)
        settings = MachineSettings(
            instance_id=self.instance_id,
            folder=str(self.folder),
            marker=self.home.machine_marker(self.instance_id),
            control_socket=self._control_socket(),
            endpoint=endpoint,
            metadata_endpoint="" if self.level.own_network else metadata_endpoint,
            user_data=user_data,
            boot=self.boots,
            level=self.level.name,
            disk_bytes=fault_injection.read(self.home).disk_bytes,
            volume_bytes=volume_gib * 1024**3,
        )
        write_atomically(self.folder / "machine.json", json.dumps(asdict(settings)))
        reading, writing = os.pipe()
        self._listeners = Listeners(*self._serve) if self.level.own_network else None
        listeners_socket = self._listeners.theirs.fileno() if self._listeners else None
        # The manager itself carries no mark: it ends its processes by the mark and must not find itself.
        environment = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR") if name in os.environ
        }
        environment["PYTHONPATH"] = str(REPOSITORY_ROOT)
        with (self.folder / "machine.log").open("ab") as machine_log, _spawning:
            self._process = subprocess.Popen(
                self.level.words(self.folder, reading, listeners_socket),
                stdin=subprocess.DEVNULL,
                stdout=machine_log,
                stderr=machine_log,
                cwd=self.folder,
                env=environment,
                pass_fds=[number for number in (reading, listeners_socket) if number is not None],
                start_new_session=True,
            )
            _machine_pids.add(self._process.pid)
        os.close(reading)
        self._power = writing
        if self._listeners:
            self._listeners.open()

    @property
    def machine_pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def leader_pid(self) -> int | None:
        """The machine's process 1; None before it has been started and after its end."""
        try:
            return self.level.leader(self._process.pid) if self._process else None
        except psutil.Error:
            return None

    def ended(self) -> bool:
        """Whether there is no process (any more)."""
        return self._process is None or self._process.poll() is not None

    def outcome(self) -> str:
        """How an ended machine ended: `poweroff` or `reboot` if it shut itself down in order, else `crash`."""
        try:
            action = json.loads((self.folder / "power.json").read_text())["action"]
        except (FileNotFoundError, ValueError, KeyError):
            return "crash"
        return action if action in ("poweroff", "reboot") else "crash"

    def press_power_button(self) -> None:
        """Ask the machine to stop its units in order and power off."""
        if self._power is not None:
            with contextlib.suppress(OSError):  # nobody reads any more: it is off
                os.write(self._power, b"\n")

    def cut_power(self) -> None:
        """End the machine and everything in it, now. Returns when nothing of it is left. Safe to call at any time."""
        if self._power is not None:
            os.close(self._power)
            self._power = None
        if self._process:
            try:
                self._process.wait(SWITCH_OFF_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            with _spawning:
                _machine_pids.discard(self._process.pid)
        if self._listeners:
            self._listeners.close()
            self._listeners = None
        left = processes.kill_all(lambda: processes.marked(self.home.machine_marker(self.instance_id)))
        if left:
            self.say(f"killed {len(left)} process(es) that outlived the machine's manager")
        if self._socket_folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None
        self._process = None

    def say(self, text: str) -> None:
        """A line on the console from outside the machine."""
        with self.console.open("a") as console:
            console.write(f"[{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}] host: {text}\n")

    def _control_socket(self) -> str:
        path = self.folder / "control"
        if len(os.fsencode(path)) < MAX_SOCKET_PATH:
            return str(path)
        self._socket_folder = tempfile.mkdtemp(prefix=SOCKET_FOLDER_PREFIX)
        return os.path.join(self._socket_folder, "c")


def keep_only_logs(folder: Path) -> None:
    """Delete the disk of a machine that is gone, except /var/log: an unpacked training environment is 1.3 GB."""
    root = folder / "root"
    for path in root.iterdir() if root.is_dir() else ():
        if path.name == "var" and path.is_dir() and not path.is_symlink():
            for inner in path.iterdir():
                if inner.name != "log":
                    _delete(inner)
        else:
            _delete(path)
    for name in ("shims", "work", "merged"):
        _delete(folder / name)
    for name in ("control", virtual_disk.NAME):
        (folder / name).unlink(missing_ok=True)
    _delete_socket_folder(folder)


def _delete_socket_folder(folder: Path) -> None:
    """What a killed daemon could not: the socket's folder in the temporary folder, named in machine.json."""
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
        elsewhere = Path(json.loads((folder / "machine.json").read_text())["control_socket"]).parent
        if elsewhere != folder and elsewhere.name.startswith(SOCKET_FOLDER_PREFIX):
            shutil.rmtree(elsewhere, ignore_errors=True)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=_make_deletable)
    else:
        path.unlink(missing_ok=True)


def _make_deletable(_function: object, path: str, _info: object) -> None:
    """Archives may contain read-only folders, whose entries cannot be deleted until they are made writable."""
    with contextlib.suppress(OSError):
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def kill_orphans() -> int:
    """Kill children of the daemon that are no machines: on Linux, what a killed machine left behind. Returns their number.

    Not those that belong to something that lives: programs that the daemon itself runs for a moment are in its session, what a
    function or a task has started is in theirs.
    """
    with _spawning:
        living = {os.getsid(0), *_machine_pids}
        orphans = [
            child
            for child in psutil.Process().children()
            if child.pid not in _machine_pids and _session(child.pid) not in living
        ]
        processes.send(orphans, signal.SIGKILL)
        deadline = time.monotonic() + 1.0
        for child in orphans:
            while time.monotonic() < deadline and not _reaped(child.pid):
                time.sleep(0.01)
    return len(orphans)


def _session(pid: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid)
    return 0


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True
