"""The state folder of one embedded AWS: `.local_aws/` at the repository root, or what LOCAL_AWS_HOME names.

server.json            pid, creation time of the process, endpoint, started_at, nonce (written when it answers)
server.log             what the daemon has to say
start.lock             held while somebody starts or stops the server
objects/               bodies of large S3 objects
state/                 the account, for the next start after a crash (persistence.py)
containers/<name>/      what a container writes, while it runs (local_aws/containers)
registry/               layers of ECR's images
built/                  images that were built and perhaps not pushed yet
instances/<i-…>/       root/, console.log, journal.log, machine.json, power.json of one instance
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent
HOME_VARIABLE = "LOCAL_AWS_HOME"
# The endpoint that instances are given, when it is not the server itself (read when the server starts).
MACHINE_ENDPOINT_VARIABLE = "LOCAL_AWS_MACHINE_ENDPOINT"
# The level that machines are booted at; see local_aws/levels.
LEVEL_VARIABLE = "LOCAL_AWS_LEVEL"
ASKED_LEVEL_VARIABLE = "LOCAL_AWS_ASKED_LEVEL"  # for the daemon: what the person wanted
# Every process of a machine carries this variable, so that one that escaped its group is still found and ended.
MACHINE_VARIABLE = "LOCAL_AWS_MACHINE"
REGION = "us-east-1"
# moto accepts any key; these say what they are if they ever turn up in a log.
ACCESS_KEY = "LOCALAWSNOTAREALKEY0"
SECRET_KEY = "local-aws-not-a-real-secret"


class LocalAwsError(Exception):
    """An error whose text is meant for a person."""


@dataclass(frozen=True)
class Server:
    """A server that has answered at least once. Times are seconds since the epoch."""

    pid: int
    created: float
    endpoint: str
    started_at: str
    nonce: str
    level: str
    asked_level: str  # which level was wanted; `level` is lower where that does not work


class Home:
    """Paths below one state folder, and the server.json in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.server_file = path / "server.json"
        self.log_file = path / "server.log"
        self.lock_file = path / "start.lock"
        self.objects = path / "objects"
        self.state = path / "state"
        self.instances = path / "instances"
        self.containers = path / "containers"

    def instance(self, instance_id: str) -> Path:
        return self.instances / instance_id

    def machine_marker(self, instance_id: str = "") -> str:
        """Value of MACHINE_VARIABLE for an instance; without one, the prefix shared by all instances of this home."""
        return f"{self.path}:{instance_id}"

    def create(self) -> None:
        for folder in (self.path, self.objects, self.state, self.instances):
            folder.mkdir(parents=True, exist_ok=True)

    def read_server(self) -> Server | None:
        """What server.json says, or None when there is none or it is not readable as such (e.g. written by an older version)."""
        try:
            return Server(**json.loads(self.server_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write_server(self, server: Server) -> None:
        write_atomically(self.server_file, json.dumps(asdict(server), indent=2) + "\n")

    def forget_server(self) -> None:
        self.server_file.unlink(missing_ok=True)

    def forget_state(self) -> None:
        """The next start is that of an empty account."""
        for folder in (self.state, self.objects):
            shutil.rmtree(folder, ignore_errors=True)

    def left_by_a_crash(self) -> dict[str, Any]:
        """What a crashed daemon said of itself: endpoint and clock_ahead. Empty after a clean stop."""
        try:
            facts: dict[str, Any] = json.loads((self.state / "daemon.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return facts


def current_home() -> Home:
    """The home that LOCAL_AWS_HOME names, else `.local_aws/` at the repository root."""
    named = os.environ.get(HOME_VARIABLE)
    return Home(Path(named).expanduser().resolve() if named else REPOSITORY_ROOT / ".local_aws")


def write_atomically(path: Path, text: str) -> None:
    """Readers see the old text or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    os.replace(temporary, path)


def client_environment(endpoint: str, region: str = REGION) -> dict[str, str]:
    """Variables that point every AWS SDK at the embedded AWS and away from the person's own accounts."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        # Without this an SDK without keys would ask the real metadata address of whatever machine this is.
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


# Of the person's environment, what would lead an SDK back to a real account or override the endpoint above.
FOREIGN_VARIABLES = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)


# A person who tries what a policy allows gives the keys of a user of the embedded account; without them it is its root.
AS_USER = {
    "LOCAL_AWS_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID",
    "LOCAL_AWS_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY",
    "LOCAL_AWS_SESSION_TOKEN": "AWS_SESSION_TOKEN",  # of a role's keys
}


def point_at(endpoint: str, environment: MutableMapping[str, str], region: str = REGION) -> None:
    """Change `environment` in place so that AWS means the embedded one; service-specific endpoints go as well."""
    for name in list(environment):
        if name in FOREIGN_VARIABLES or name.startswith("AWS_ENDPOINT_URL_"):
            del environment[name]
    environment.update(client_environment(endpoint, region))
    environment.update({name: environment[given] for given, name in AS_USER.items() if given in environment})
