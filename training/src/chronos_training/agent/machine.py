"""The machine itself: its identity from the metadata service, its uptime, its end."""

from __future__ import annotations

import http.client
import logging
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from chronos_training.core import aws

log = logging.getLogger(__name__)

TIMEOUT = 2.0
# How long the metadata service may be away at the start. Nothing has been done yet, so nothing is lost by giving up.
IDENTITY_SECONDS = 600.0
# What switches the machine off, the gentlest first. The last one asks nobody: it is the kernel's own switch.
SWITCHES = (["shutdown", "-h", "now"], ["systemctl", "poweroff", "--force"], ["systemctl", "poweroff", "-f", "-f"])
SWITCH_SECONDS = 20.0


def _endpoint() -> str:
    # The standard SDK variable; boto3 reads credentials from the same place.
    return os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")


def metadata(path: str) -> str | None:
    """Return one value of the metadata service (IMDSv2), or None on 404. Raises OSError when it does not answer."""
    token_request = urllib.request.Request(
        f"{_endpoint()}/latest/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    )
    try:
        with urllib.request.urlopen(token_request, timeout=TIMEOUT) as answer:
            token = answer.read().decode()
        request = urllib.request.Request(
            f"{_endpoint()}/latest/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token}
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise
    except http.client.HTTPException as error:
        raise OSError(f"the metadata service closed the connection: {error}") from error


def wait_for_identity(seconds: float = IDENTITY_SECONDS) -> str:
    """Return this instance's id once the metadata service gives it and the role's credentials.

    A client that is made before there are credentials never gets any. Raises OSError after `seconds`.
    """

    def found() -> str | None:
        instance_id = metadata("instance-id")
        return instance_id if instance_id and aws.session().get_credentials() is not None else None

    return _waited(found, "identity or no role", seconds)


def private_address(check: Callable[[], None], seconds: float = IDENTITY_SECONDS) -> str:
    """Return this instance's address in its network, waiting out a metadata service that is away.

    `check` may raise to end the waiting. Raises OSError after `seconds`.
    """

    def found() -> str | None:
        check()
        return metadata("local-ipv4")

    return _waited(found, "private address", seconds)


def _waited(look: Callable[[], str | None], what: str, seconds: float) -> str:
    """Return what `look` finds in the metadata service, asked again until it is there. Raises OSError after `seconds`."""
    deadline, pause = time.monotonic() + seconds, 0.5
    while True:
        try:
            found = look()
            if found:
                return found
            problem = OSError(f"the metadata service has no {what} for this instance yet")
        except OSError as error:
            problem = error
        if time.monotonic() > deadline:
            raise problem
        log.warning("waiting for the metadata service: %s", problem)
        time.sleep(pause)
        pause = min(10.0, pause * 2)


def booted_at(state: Path) -> float:
    """Return the monotonic time at which this boot's run began, noting it at the first call (the bootstrap's, usually).

    Monotonic, because a wrong wall clock must neither end a run early nor let it continue.
    """
    state.mkdir(parents=True, exist_ok=True)
    note = state / "booted_at"
    try:
        with note.open("x") as stream:
            stream.write(str(time.monotonic()))
    except FileExistsError:
        pass
    return float(note.read_text() or time.monotonic())


def launch_index(state: Path, seconds: float = 0.0) -> int:
    """Return this instance's number within its launch, 0 for the head node, noting it when EC2 has told it.

    Raises OSError when the metadata service does not tell it within `seconds`; with 0 it is asked once.
    """
    note = state / "launch_index"
    if not note.exists():
        found = _waited(lambda: metadata("ami-launch-index"), "launch index", seconds)
        partial = note.with_suffix(".tmp")
        partial.write_text(str(int(found)))
        partial.replace(note)
    return int(note.read_text())


def power_off() -> None:
    """Shut the machine down; on EC2 that terminates it (InstanceInitiatedShutdownBehavior). Never raises.

    An orderly power-off that then hangs is cut short by poweroff.conf of role instance_user_data. A machine on which no
    switch works is ended from outside: by now the run's own termination schedule may be gone.
    """
    for command in SWITCHES:
        try:
            # No waiting for an answer that does not come: the next switch is nearer to the kernel.
            done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, timeout=SWITCH_SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            log.error("%s: %s", " ".join(command), error)
            continue
        if done.returncode == 0:
            return
    _terminate()


def _terminate() -> None:
    """Ask EC2 to terminate this instance, which its role may do to the instances of its own environment."""
    try:
        instance_id, region = metadata("instance-id"), metadata("placement/region")
        aws.client("ec2", region=region).terminate_instances(InstanceIds=[instance_id])
    except Exception as error:  # the last switch: what is left is `shutdown -h +N`
        log.error("could not ask EC2 to terminate this instance: %s", error)


def end_by(seconds: float) -> None:
    """Have this process switch the machine off in `seconds`, whatever it is doing then, and end itself."""

    def end() -> None:
        log.error("not finished in %.0f s; powering the machine off now", seconds)
        power_off()
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
