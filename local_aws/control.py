"""Start, find and stop the daemon. Imports nothing heavy; every function takes the Home it works on."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import psutil

from local_aws import processes
from local_aws.home import (
    ASKED_LEVEL_VARIABLE,
    HOME_VARIABLE,
    LEVEL_VARIABLE,
    REPOSITORY_ROOT,
    Home,
    LocalAwsError,
    Server,
)
from local_aws.levels.choice import DEFAULT, Choice, choose

START_TIMEOUT = 60.0  # seconds; about 1.5 on an idle machine, but importing moto on a loaded one takes its time
STOP_TIMEOUT = 20.0
HEALTH_PATH = "/_local_aws/health"
FAULTS_PATH = "/_local_aws/faults"
REQUESTS_PATH = "/_local_aws/requests"
DECISIONS_PATH = "/_local_aws/decisions"
CLOCK_PATH = "/_local_aws/clock"
SPOT_NOTICE_PATH = "/_local_aws/spot-notice"


def _to_stderr(text: str) -> None:
    print(f"embedded AWS: {text}", file=sys.stderr, flush=True)


# A proxy from the person's environment must never see loopback requests.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def health(endpoint: str, timeout: float = 5.0) -> dict[str, object] | None:
    """The server's answer about itself, None when nothing (or something else) answers there."""
    try:
        with _opener.open(endpoint + HEALTH_PATH, timeout=timeout) as answer:
            said = json.load(answer)
            return said if isinstance(said, dict) else None
    except (OSError, ValueError, urllib.error.URLError):
        return None


def ask(endpoint: str, path: str, method: str = "GET") -> dict[str, object]:
    """The server's answer to one of its own paths (`/_local_aws/…`), outside of AWS's API."""
    request = urllib.request.Request(endpoint + path, method=method)
    with _opener.open(request, timeout=10) as answer:
        said: dict[str, object] = json.load(answer)
        return said


def tell(endpoint: str, path: str, body: object, timeout: float = 3600) -> dict[str, object]:
    """POST to one of the server's own paths; its answer, also when that is a refusal."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(endpoint + path, json.dumps(body).encode(), headers, method="POST")
    try:
        with _opener.open(request, timeout=timeout) as answer:
            said: dict[str, object] = json.load(answer)
    except urllib.error.HTTPError as error:
        said = json.load(error)
    return said


def find(home: Home) -> Server | None:
    """The server of this home if it lives and answers, else None. Cheap: one process look-up, one loopback request."""
    server = home.read_server()
    if server is None or not processes.alive(server.pid, server.created):
        return None
    said = health(server.endpoint)
    return server if said and said.get("nonce") == server.nonce else None


def start(home: Home, level: str = "", say: Callable[[str], None] = _to_stderr) -> tuple[Server, bool]:
    """Make sure that exactly one server runs for this home. Returns it and whether this call started it.

    `level` is the one that machines shall be booted at (see local_aws/levels), by default what LOCAL_AWS_LEVEL names. It
    is that of the server's whole life: one that runs already keeps its own, and `say` is told so.

    Raises LocalAwsError with the end of the log when it does not come up, or for a level that does not exist.
    """
    level = level or os.environ.get(LEVEL_VARIABLE, "")
    server = find(home)
    if server:
        if level not in ("", DEFAULT, server.asked_level):
            say(f"it runs already, at level {server.level}; stop it to get level {level}")
        return server, False
    choice = choose(level or DEFAULT)
    if choice.why:
        say(f"{choice.why}; using level {choice.level.name}")
    choice.level.prepare(say)
    home.create()
    with _locked(home):
        server = find(home)  # somebody else may have started it while this process waited for the lock
        if server:
            return server, False
        _end_everything(home)  # a stale server.json, a daemon that no longer answers, machines of a killed daemon
        return _launch(home, level or DEFAULT, choice), True


def stop(home: Home) -> bool:
    """End the server, its host and every machine. True if anything was running; afterwards nothing is left."""
    if not home.path.exists():
        return False
    with _locked(home):
        ended = _end_everything(home)
        home.forget_state()  # also what a crash left
        return ended


def reset(home: Home) -> bool:
    """Stop, then delete the whole state folder. True if there was one."""
    if not home.path.exists():
        return False
    stop(home)
    shutil.rmtree(home.path, ignore_errors=True)
    return True


def log_tail(home: Home, lines: int = 20) -> str:
    try:
        return "\n".join(home.log_file.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"


@contextlib.contextmanager
def _locked(home: Home) -> Iterator[None]:
    with home.lock_file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _launch(home: Home, asked: str, choice: Choice) -> Server:
    # The daemon must not see the caller's AWS_* (moto and boto3 in it read them) nor its Python settings.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "MOTO_", "PYTHON", "ANSIBLE_", "COVERAGE_"))
    }
    environment[HOME_VARIABLE] = str(home.path)
    environment["PYTHONPATH"] = str(REPOSITORY_ROOT)
    environment[LEVEL_VARIABLE] = choice.level.name
    environment[ASKED_LEVEL_VARIABLE] = asked
    with home.log_file.open("a") as log:
        # The child forks once more and ends (daemon.py), so that the daemon is nobody's zombie later.
        launcher = subprocess.Popen(
            [sys.executable, "-m", "local_aws.daemon"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.path,
            env=environment,
            start_new_session=True,
            close_fds=True,
        )
    code = launcher.wait()
    if code:
        raise LocalAwsError(f"The embedded AWS did not start (exit code {code}). Its log ends:\n{log_tail(home)}")
    deadline = time.monotonic() + START_TIMEOUT
    pid_file = home.path / "daemon.pid"
    while time.monotonic() < deadline:
        server = find(home)
        if server:
            return server
        with contextlib.suppress(FileNotFoundError, ValueError):
            if processes.created_at(int(pid_file.read_text())) is None:
                raise LocalAwsError(f"The embedded AWS ended while starting. Its log ends:\n{log_tail(home)}")
        time.sleep(0.05)
    _end_everything(home)
    raise LocalAwsError(
        f"The embedded AWS did not answer within {START_TIMEOUT:.0f} s. Its log ends:\n{log_tail(home)}"
    )


def _end_everything(home: Home) -> bool:
    """TERM to the daemon, KILL after STOP_TIMEOUT, then whatever carries this home's mark."""
    ended = False
    for process in _daemons(home):
        ended = True
        processes.send([process], signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        # Not process.wait(): that also waits until init has collected the zombie, which some inits take seconds for.
        while processes.is_alive(process) and time.monotonic() < deadline:
            time.sleep(0.02)
        if processes.is_alive(process):
            processes.kill_all(lambda it=process: [p for p in (it, *processes.tree(it.pid)) if processes.is_alive(p)])
    # Not a count of failures: after a clean stop there are none; after `kill -9` machines end by themselves in an instant.
    ended = bool(processes.kill_all(lambda: processes.marked(home.machine_marker()))) or ended
    home.forget_server()
    (home.path / "daemon.pid").unlink(missing_ok=True)
    return ended


def _daemons(home: Home) -> list[psutil.Process]:
    """Daemons of this home: the one named in server.json, and one that is still starting or was forgotten."""
    found = []
    server = home.read_server()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            named = server is not None and process.pid == server.pid and processes.alive(server.pid, server.created)
            ours = "local_aws.daemon" in process.cmdline() and process.environ().get(HOME_VARIABLE) == str(home.path)
            if (named or ours) and processes.is_alive(process):
                found.append(process)
    return found
