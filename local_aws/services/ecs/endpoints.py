"""What a container asks of its host: credentials of the task role, and metadata version 4.

169.254.170.2 cannot be had on every computer, so AWS_CONTAINER_CREDENTIALS_FULL_URI with a token takes the place of
AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: every SDK reads both.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from local_aws.services.aws import Aws
from local_aws.services.ecs.errors import TaskFailed
from local_aws.services.ecs.roles import Session

PREFIX = "/_aws/ecs"
# Path after the prefix to what is there: a function of the rest of the path that returns the document, None for 404.
_Source = Callable[[str], Any]


class Endpoints:
    """A WSGI application; see DATA_PLANES."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._sessions: dict[str, tuple[str, Session]] = {}  # by id: token and session
        self._metadata: dict[str, _Source] = {}

    def offer_credentials(self, session: Session) -> tuple[str, dict[str, str]]:
        """Return the id of what is offered, and the variables by which a container finds the session's keys."""
        name, token = secrets.token_hex(16), secrets.token_urlsafe(32)
        self._sessions[name] = (token, session)
        return name, {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self._aws.endpoint}{PREFIX}/v2/credentials/{name}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
        }

    def offer_metadata(self, source: _Source) -> tuple[str, dict[str, str]]:
        """The same for metadata."""
        name = secrets.token_hex(16)
        self._metadata[name] = source
        return name, {"ECS_CONTAINER_METADATA_URI_V4": f"{self._aws.endpoint}{PREFIX}/v4/{name}"}

    def withdraw(self, name: str) -> None:
        """Offer it no more."""
        self._sessions.pop(name, None)
        self._metadata.pop(name, None)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        status, answer = self._answer(environ)
        body = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: dict[str, Any]) -> tuple[str, Any]:
        path = str(environ["PATH_INFO"]).removeprefix(PREFIX)
        if path.startswith("/v2/credentials/"):
            token, session = self._sessions.get(path.rpartition("/")[2], ("", None))
            if session is None or environ.get("HTTP_AUTHORIZATION") != token:
                return "400 Bad Request", {
                    "code": "InvalidIdInRequest",
                    "message": "CredentialsV2Request: ID not found",
                }
            return self._credentials(session)
        if path.startswith("/v4/"):
            name, _, rest = path.removeprefix("/v4/").partition("/")
            source = self._metadata.get(name)
            document = source(rest) if source is not None else None
            if document is not None:
                return "200 OK", document
        return "404 Not Found", {"message": f"There is no {path} here."}

    @staticmethod
    def _credentials(session: Session) -> tuple[str, Any]:
        try:
            keys = session.credentials()
        except TaskFailed as error:
            return "400 Bad Request", {"code": "NoIdInRequest", "message": str(error)}
        return "200 OK", {
            "RoleArn": session.role,
            "AccessKeyId": keys["AccessKeyId"],
            "SecretAccessKey": keys["SecretAccessKey"],
            "Token": keys["SessionToken"],
            "Expiration": keys["Expiration"],
        }
