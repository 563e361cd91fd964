"""The machine itself: its identity from the metadata service, its uptime, its end."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

TIMEOUT = 2.0


def _endpoint() -> str:
    # The standard SDK variable; boto3 reads credentials from the same place.
    return os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")


def metadata(path: str) -> str | None:
    """Return one value of the metadata service (IMDSv2), or None on 404. Raises OSError when it does not answer."""
    token_request = urllib.request.Request(
        f"{_endpoint()}/latest/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    )
    with urllib.request.urlopen(token_request, timeout=TIMEOUT) as answer:
        token = answer.read().decode()
    request = urllib.request.Request(
        f"{_endpoint()}/latest/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def instance_id(attempts: int = 30) -> str:
    """Return this instance's id; waits for a metadata service that is late. Raises OSError in the end."""
    for attempt in range(attempts):
        try:
            found = metadata("instance-id")
            if found:
                return found
        except OSError:
            if attempt == attempts - 1:
                raise
        time.sleep(1)
    raise OSError("the metadata service knows no instance-id")


def booted_at(state: Path) -> float:
    """Return the monotonic time at which this boot's run began, noting it at the first call.

    Monotonic, because a wrong wall clock must neither end a run early nor let it go on.
    """
    state.mkdir(parents=True, exist_ok=True)
    note = state / "booted_at"
    try:
        with note.open("x") as stream:
            stream.write(str(time.monotonic()))
    except FileExistsError:
        pass
    return float(note.read_text() or time.monotonic())


def power_off() -> None:
    """Shut the machine down; on EC2 that terminates it (InstanceInitiatedShutdownBehavior). Does not return an error."""
    for command in (["shutdown", "-h", "now"], ["systemctl", "poweroff", "--force"]):
        if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode == 0:
            return
