"""The instance metadata service (IMDSv2), one loopback listener for each instance.

At process level nobody can bind 169.254.169.254, so the machine gets the URL in AWS_EC2_METADATA_SERVICE_ENDPOINT, the
variable that every SDK honours; a machine with a network of its own has that address. Behaviour as documented in
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from __future__ import annotations

import base64
import functools
import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from moto.ec2.models.instances import Instance
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local_aws import fault_injection
from local_aws.home import Home
from local_aws.iam.principals import service_may_assume
from local_aws.levels.listeners import shut

TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"
MAX_TTL = 21600  # seconds, 6 h
CREDENTIALS_LIFETIME = 6 * 3600  # seconds
REFRESH_BEFORE_EXPIRY = 300  # AWS has new ones at least five minutes before the old ones expire
VERSIONS = ("2016-09-02", "2018-09-24", "2019-10-01", "2020-10-27", "2021-07-15", "2022-09-24", "latest")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")

# A folder is a dict, a file a text or a function that gives one; None means 404.
_Tree = dict[str, Any]


class MetadataService:
    """Answers for one instance until close(). `lock` guards moto's state."""

    def __init__(self, instance: Instance, home: Home, lock: threading.RLock, own_network: bool) -> None:
        self._own_network = own_network
        self._instance = instance
        self._home = home
        self._folder = home.instance(instance.id)
        self._lock = lock
        self._tokens: dict[str, float] = {}  # to the monotonic time at which they expire
        self._credentials: tuple[float, str] = (0.0, "")
        service = self

        class Handler(_Handler):
            metadata = service

        self._handler = Handler
        listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.close = self.serve(listener)

    def serve(self, listener: socket.socket) -> Callable[[], None]:
        """Answer on `listener` too, until the returned function is called."""
        server = ThreadingHTTPServer(listener.getsockname(), self._handler, bind_and_activate=False)
        server.daemon_threads = True
        server.socket.close()
        server.socket = listener
        threading.Thread(target=server.serve_forever, name=f"imds-{self._instance.id}", daemon=True).start()
        return functools.partial(shut, server)

    @property
    def down(self) -> bool:
        """Whether a test has injected an outage."""
        return fault_injection.read(self._home).metadata_down

    @property
    def options(self) -> Any:
        return self._instance.metadata_options

    def new_token(self, ttl: int) -> str:
        token = base64.urlsafe_b64encode(secrets.token_bytes(40)).decode()
        now = time.monotonic()
        self._tokens = {old: expiry for old, expiry in self._tokens.items() if expiry > now}
        self._tokens[token] = now + ttl
        return token

    def seconds_left(self, token: str) -> int:
        """Of a token; 0 for one that is unknown or has expired."""
        return max(0, round(self._tokens.get(token, 0.0) - time.monotonic()))

    def read(self, path: str) -> bytes | None:
        """The body for a path such as `/latest/meta-data/instance-id`; None for 404."""
        names = [name for name in path.split("/") if name]
        if not names:
            return "\n".join(VERSIONS).encode()
        version, *rest = names
        if version != "latest" and not _DATED.fullmatch(version):
            return None
        if rest == ["user-data"]:
            data = self._instance.user_data
            return base64.b64decode(str(data)) if data else None
        with self._lock:
            node: Any = self._tree()
            for name in rest:
                if not isinstance(node, dict) or name not in node:
                    return None
                node = node[name]
            if callable(node):
                node = node()
        if isinstance(node, dict):
            node = "\n".join(name + ("/" if isinstance(child, dict) else "") for name, child in node.items())
        return None if node is None else str(node).encode()

    def _tree(self) -> _Tree:
        instance = self._instance
        tree: _Tree = {"dynamic": {"instance-identity": {"document": self._identity_document}}}
        tree["meta-data"] = meta = {
            "ami-id": instance.image_id,
            "ami-launch-index": str(instance.ami_launch_index),
            "hostname": instance.private_dns_name,
            "instance-action": "none",
            "instance-id": instance.id,
            "instance-life-cycle": "spot" if instance.lifecycle == "spot" else "on-demand",
            "instance-type": instance.instance_type,
            "local-hostname": instance.private_dns_name,
            # Machines without a network of their own share this computer's: there they reach each other on its loopback.
            "local-ipv4": instance.private_ip if self._own_network else "127.0.0.1",
            "mac": instance.nics[0].mac_address,
            "placement": {
                "availability-zone": instance.availability_zone,
                "region": instance.region_name,
            },
            "reservation-id": self._reservation_id(),
            "security-groups": "\n".join(group.name for group in instance.security_groups),
            "services": {"domain": "amazonaws.com", "partition": "aws"},
        }
        if instance.public_ip:
            meta["public-ipv4"] = instance.public_ip
            meta["public-hostname"] = instance.public_dns_name
        profile = instance.iam_instance_profile
        if profile:
            meta["iam"] = {"info": json.dumps(self._profile_info(profile), indent=2)}
            role = self._role(profile)
            if role is not None:
                meta["iam"]["security-credentials"] = {role.name: lambda: self._role_credentials(role)}
        notice = self._spot_notice()
        if notice:
            meta["spot"] = {"instance-action": notice}
        if self.options.instance_metadata_tags == "enabled":
            meta["tags"] = {"instance": {tag["key"]: tag["value"] for tag in instance.get_tags()}}
        if instance.user_data:
            tree["user-data"] = ""
        return tree

    def _reservation_id(self) -> str:
        reservations = self._instance.ec2_backend.reservations.values()
        return next((entry.id for entry in reservations if self._instance in entry.instances), "")

    def _identity_document(self) -> str:
        instance = self._instance
        return json.dumps(
            {
                "accountId": instance.owner_id,
                "architecture": instance.architecture,
                "availabilityZone": instance.availability_zone,
                "billingProducts": None,
                "imageId": instance.image_id,
                "instanceId": instance.id,
                "instanceType": instance.instance_type,
                "kernelId": None,
                "pendingTime": _iso(instance.launch_time.replace(tzinfo=timezone.utc)),
                "privateIp": instance.private_ip,
                "ramdiskId": None,
                "region": instance.region_name,
                "version": "2017-09-30",
            },
            indent=2,
        )

    def _profile_info(self, profile: dict[str, str]) -> dict[str, str]:
        return {
            "Code": "Success",
            "LastUpdated": _iso(datetime.now(timezone.utc)),
            "InstanceProfileArn": profile["Arn"],
            "InstanceProfileId": profile["Id"],
        }

    def _role(self, profile: dict[str, str]) -> Any:
        """The role inside the instance profile as it is now (it can be exchanged while the instance runs)."""
        backend = iam_backends[self._instance.owner_id]["aws"]
        for candidate in backend.instance_profiles.values():
            if candidate.arn == profile["Arn"] and candidate.roles:
                return candidate.roles[0]
        return None

    def _role_credentials(self, role: Any) -> str:
        """Credentials of an assumed role that moto's STS and IAM know: GetCallerIdentity names role and instance."""
        if not service_may_assume(role, "ec2.amazonaws.com", {"aws:sourceaccount": str(self._instance.owner_id)}):
            said = {"Code": "AssumeRoleUnauthorizedAccess", "LastUpdated": _iso(datetime.now(timezone.utc))}
            said["Message"] = f"EC2 cannot assume the role {role.name}; see its trust policy."
            return json.dumps(said, indent=2)
        refresh_at, document = self._credentials
        if time.time() < refresh_at:
            return document
        assumed = sts_backends[self._instance.owner_id]["aws"].assume_role(
            region_name=self._instance.region_name,
            role_session_name=self._instance.id,
            role_arn=role.arn,
            policy="",
            duration=CREDENTIALS_LIFETIME,
            external_id="",
        )
        now = datetime.now(timezone.utc)
        document = json.dumps(
            {
                "Code": "Success",
                "LastUpdated": _iso(now),
                "Type": "AWS-HMAC",
                "AccessKeyId": assumed.access_key_id,
                "SecretAccessKey": assumed.secret_access_key,
                "Token": assumed.session_token,
                "Expiration": _iso(now + timedelta(seconds=CREDENTIALS_LIFETIME)),
            },
            indent=2,
        )
        self._credentials = (time.time() + CREDENTIALS_LIFETIME - REFRESH_BEFORE_EXPIRY, document)
        return document

    def _spot_notice(self) -> str | None:
        """What `python -m local_aws spot-notice` has announced, if anything."""
        try:
            return (self._folder / "spot-instance-action.json").read_text()
        except FileNotFoundError:
            return None


class _Handler(BaseHTTPRequestHandler):
    metadata: MetadataService
    server_version = "EC2ws"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        self.close_connection = self.close_connection or self.metadata.down
        return not self.metadata.down

    def do_PUT(self) -> None:
        self._skip_body()
        if self.metadata.options.http_endpoint == "disabled" or "X-Forwarded-For" in self.headers:
            # A forwarded request would hand the token to whoever is behind a badly configured proxy.
            self._answer(403)
        elif self.path.split("?")[0] != "/latest/api/token":
            self._answer(405)
        else:
            asked = self.headers.get(TTL_HEADER, "")
            if not asked.isdigit() or not 1 <= int(asked) <= MAX_TTL:
                self._answer(400)
            else:
                self._answer(200, self.metadata.new_token(int(asked)).encode(), {TTL_HEADER: asked})

    def do_GET(self) -> None:
        headers = {}
        if self.metadata.options.http_endpoint == "disabled":
            return self._answer(403)
        token = self.headers.get(TOKEN_HEADER)
        if token is not None:
            left = self.metadata.seconds_left(token)
            if not left:
                return self._answer(401)
            headers[TTL_HEADER] = str(left)
        elif self.metadata.options.http_tokens == "required":
            return self._answer(401)
        body = self.metadata.read(self.path.split("?")[0])
        return self._answer(404) if body is None else self._answer(200, body, headers)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self._skip_body()
        self._answer(405)

    do_DELETE = do_POST

    def _skip_body(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, body: bytes | None = None, headers: dict[str, str] | None = None) -> None:
        if body is None:
            phrase = self.responses[status][0]
            body = f"<html><head><title>{status} - {phrase}</title></head><body><h1>{status} - {phrase}</h1></body></html>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if status == 200 else "text/html")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Instances ask every few seconds; the daemon's log is for other things."""


def _iso(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
