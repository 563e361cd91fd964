"""One request to a deployed API: its parts as API Gateway sees them, and the context variables."""

from __future__ import annotations

import secrets
import time
import urllib.parse
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local_aws.iam.principals import ACCOUNT
from local_aws.services.apigateway.snapshot import Method, Snapshot

# Headers that are about this connection, and not the caller's.
_OF_CONNECTION = frozenset(["connection", "transfer-encoding", "content-length", "expect", "keep-alive"])


@dataclass
class Request:
    """What arrived, and what is found out about it on the way."""

    environ: dict[str, Any]
    region: str
    api: Any  # moto's
    stage: Any  # moto's
    snapshot: Snapshot
    path: str  # below the stage
    body: bytes
    when: datetime  # by AWS's clock
    method: Method | None = None
    path_parameters: dict[str, str] = field(default_factory=dict)
    key: Any = None  # moto's API key
    began: float = field(default_factory=time.monotonic)
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    extended_id: str = field(default_factory=lambda: secrets.token_urlsafe(11) + "=")
    trace_id: str = field(default_factory=lambda: f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}")
    # Filled in by what answers it.
    found: dict[str, str] = field(default_factory=dict)  # more context variables
    headers: dict[str, list[str]] = field(init=False)  # names as they were sent
    query: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.headers = _headers(self.environ)
        self.query = defaultdict(list)
        for name, value in urllib.parse.parse_qsl(self.environ.get("QUERY_STRING", ""), keep_blank_values=True):
            self.query[name].append(value)

    @property
    def http_method(self) -> str:
        return str(self.environ["REQUEST_METHOD"])

    @property
    def source_ip(self) -> str:
        return str(self.environ.get("REMOTE_ADDR", "127.0.0.1"))

    @property
    def domain(self) -> str:
        return f"{self.api.id}.execute-api.{self.region}.amazonaws.com"

    @property
    def source_arn(self) -> str:
        """What an integration is called for: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html."""
        assert self.method is not None
        api = f"arn:aws:execute-api:{self.region}:{ACCOUNT}:{self.api.id}"
        return f"{api}/{self.stage.name}/{self.http_method}{self.method.path}"

    def header(self, name: str) -> str:
        """The last value of a header, or an empty string."""
        return next((values[-1] for key, values in self.headers.items() if key.lower() == name), "")

    def is_binary(self, content_type: str) -> bool:
        """Whether a media type is one of the API's binary ones."""
        kind = content_type.partition(";")[0].strip().lower()
        return any(binary in ("*/*", kind) for binary in self.snapshot.binary)

    def context(self) -> dict[str, str]:
        """The variables after `$context.`."""
        known = {
            "accountId": ACCOUNT,
            "apiId": self.api.id,
            "deploymentId": self.stage.deployment_id,
            "domainName": self.domain,
            "domainPrefix": self.api.id,
            "extendedRequestId": self.extended_id,
            "httpMethod": self.http_method,
            "identity.apiKey": self.key.value if self.key else "",
            "identity.apiKeyId": self.key.id if self.key else "",
            "identity.sourceIp": self.source_ip,
            "identity.userAgent": self.header("user-agent"),
            "path": f"/{self.stage.name}{self.path}",
            "protocol": str(self.environ.get("SERVER_PROTOCOL", "HTTP/1.1")),
            "requestId": self.request_id,
            "requestTime": self.when.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "requestTimeEpoch": str(int(self.when.timestamp() * 1000)),
            "resourceId": self.method.resource_id if self.method else "",
            "resourcePath": self.method.path if self.method else "",
            "stage": self.stage.name,
            "xrayTraceId": self.trace_id.partition("=")[2],
            **self.found,
        }
        return {name: value for name, value in known.items() if value}


def _headers(environ: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    spelled: dict[str, str] = {}
    for name, value in environ["local_aws.headers"].items():
        if name.lower() not in _OF_CONNECTION:
            found.setdefault(spelled.setdefault(name.lower(), name), []).append(value)
    return found
