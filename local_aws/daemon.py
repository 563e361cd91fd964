"""The daemon: moto behind our middlewares, the host loop and the metadata services, in one process.

Started by control.py only. It forks once so that its launcher can end at once, serves on a free loopback port, and
writes server.json when it really answers. SIGTERM ends every machine first, then itself.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from local_aws.control import HEALTH_PATH
from local_aws.home import (
    ASKED_LEVEL_VARIABLE,
    LEVEL_VARIABLE,
    MACHINE_ENDPOINT_VARIABLE,
    Home,
    Server,
    current_home,
    write_atomically,
)
from local_aws.levels.choice import DEFAULT, named
from local_aws.levels.listeners import shut
from local_aws.processes import become_subreaper, created_at

log = logging.getLogger("local_aws")


def main() -> int:
    home = current_home()
    child = os.fork()
    if child:
        write_atomically(home.path / "daemon.pid", str(child))
        os._exit(0)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # One line for each request would be most of the log; what fails on the server's side is logged by Flask itself.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    for chatty in ("boto3", "botocore", "urllib3", "responses"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    become_subreaper()  # whatever a killed machine leaves behind becomes our child, and is ended by the host
    _clear_leftovers(home)
    try:
        _serve(home)
    except Exception:
        log.exception("the daemon failed")
        return 1
    # Everything is ended and closed. Tearing down the interpreter would take seconds: a connection that a client keeps
    # open holds its thread, and moto's objects are many.
    logging.shutdown()
    os._exit(0)


def _serve(home: Home) -> None:
    # The port is bound before moto is imported, because parts of moto build URLs from MOTO_PORT at import.
    crashed = home.left_by_a_crash()
    listener = _listen(str(crashed.get("endpoint", "")))
    port = listener.getsockname()[1]
    os.environ["MOTO_PORT"] = str(port)
    endpoint = f"http://127.0.0.1:{port}"

    from werkzeug.serving import make_server

    from local_aws.clock import CLOCK, set_motos

    set_motos()
    from local_aws.application import RequestHandler, build_application
    from local_aws.cbor import CborApplication
    from local_aws.clock_control import ClockApplication
    from local_aws.clock_skew import ClockSkewApplication
    from local_aws.faults import FaultyApplication
    from local_aws.free_tier import FreeTierApplication
    from local_aws.host import Host
    from local_aws.iam.gate import GuardedApplication
    from local_aws.moto_gaps import machines_apart
    from local_aws.network_limits import LimitedApplication
    from local_aws.persistence import Snapshots
    from local_aws.request_counts import CountingApplication
    from local_aws.services import DataPlanes, Services
    from local_aws.services.aws import Aws
    from local_aws.services.events.spot_notice import SpotNoticeApplication
    from local_aws.strict.gate import StrictApplication

    lock = threading.RLock()
    level = named(os.environ.get(LEVEL_VARIABLE, DEFAULT))

    def serve(listener: socket.socket, application: Any) -> Callable[[], None]:
        """Answer on a listener, until the returned function is called."""
        host, port = listener.getsockname()
        number = listener.fileno()
        made = make_server(host, port, application, threaded=True, request_handler=RequestHandler, fd=number)
        listener.close()  # the server has a duplicate
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.1}, name="http", daemon=True).start()
        return functools.partial(shut, made)

    def serve_machine(listener: socket.socket) -> Callable[[], None]:
        return serve(listener, ClockSkewApplication(application, home))

    # Tests put a line that fails between the instances and this server; everybody else leaves it unset.
    host = Host(home, os.environ.get(MACHINE_ENDPOINT_VARIABLE, endpoint), lock, level, serve_machine)
    if level.own_network:
        machines_apart.refuse_several(level.name)
    nonce = secrets.token_hex(8)
    aws = Aws(home, lock, endpoint, level.name)
    services = Services(aws)

    def health() -> dict[str, Any]:
        return {
            "nonce": nonce,
            "pid": os.getpid(),
            "endpoint": endpoint,
            "level": level.name,
            "machines": host.describe(),
            "services": services.opened(),
            "clock_ahead": round(CLOCK.ahead, 3),
            **aws.describe(),
        }

    snapshots = Snapshots(aws, services)
    strict = StrictApplication(build_application(aws, services, snapshots.note), lock)
    guarded = GuardedApplication(FreeTierApplication(strict, home), lock)
    counted = CborApplication(CountingApplication(FaultyApplication(guarded)))
    planes = DataPlanes(SpotNoticeApplication(ClockApplication(counted), aws), services, aws)
    application = _HealthApplication(LimitedApplication(planes, home), health)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    restored = []
    if crashed:
        CLOCK.set_ahead(float(crashed["clock_ahead"]))
        restored = snapshots.restore()
        host.bury_lost_machines()
        log.info("after a crash, went on with: %s", ", ".join(restored))
    snapshots.start()
    close = serve(listener, application)
    host.start()
    services.resume(restored)
    created = created_at(os.getpid())
    started_at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = os.environ.get(ASKED_LEVEL_VARIABLE, level.name)
    home.write_server(Server(os.getpid(), created or time.time(), endpoint, started_at, nonce, level.name, asked))
    log.info("serving at %s, process %d", endpoint, os.getpid())
    while not stop.wait(timeout=1.0):  # a bare wait() would not notice signals on every platform
        pass
    log.info("stopping")
    aws.stop()
    host.shut_down()
    close()
    snapshots.stop()
    home.forget_server()
    log.info("stopped")


class _HealthApplication:
    """Answers HEALTH_PATH outside the global lock, so that a long request does not make the server look dead."""

    def __init__(self, application: Any, health: Any) -> None:
        self.application = application
        self.health = health

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("PATH_INFO") != HEALTH_PATH:
            return self.application(environ, start_response)
        body = json.dumps(self.health()).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def _listen(previous: str) -> socket.socket:
    """A free port of the loopback; after a crash the same as before, if nobody has taken it: clients know it."""
    port = previous.rpartition(":")[2]
    with contextlib.suppress(OSError):
        return socket.create_server(("127.0.0.1", int(port or 0)), backlog=128)
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def _clear_leftovers(home: Home) -> None:
    """The machines died with the previous daemon; what it wrote of the account is for persistence.py."""
    from local_aws.machine_process import keep_only_logs

    for folder in home.instances.iterdir():
        keep_only_logs(folder)
    if not home.left_by_a_crash():
        home.forget_state()
    for folder in (home.objects, home.state):
        folder.mkdir(exist_ok=True)
    if home.containers.exists():
        from local_aws.containers import engines

        engines.clean_leftovers(home.path)


if __name__ == "__main__":
    raise SystemExit(main())
