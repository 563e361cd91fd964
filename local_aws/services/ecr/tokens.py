"""Passwords of the registry: GetAuthorizationToken gives one, and whoever shows it is the principal that asked for it.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import ecr_backends
from moto.ecr.responses import ECRResponse

from local_aws.clock import CLOCK
from local_aws.iam.principals import ACCOUNT, NotRecognized, Principal, principal_of

LIFETIME = 12 * 3600  # seconds


class NotAuthorized(Exception):
    """No password, or one that is nobody's. `args[0]` is ECR's sentence."""


def close_gap(endpoint: str) -> None:
    """moto's token is the same for everybody, has expired in 2015 and is for a registry at amazonaws.com."""

    def get_authorization_token(self: ECRResponse) -> ActionResult:
        tokens = _tokens(self.region)
        now = CLOCK.now()
        for old in [password for password, token in tokens.items() if token[2] < now]:
            del tokens[old]
        password = secrets.token_urlsafe(48)
        session = self.headers.get("X-Amz-Security-Token")
        tokens[password] = (str(self.access_key), session, now + LIFETIME)
        given = {
            "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
            "expiresAt": now + LIFETIME,
            "proxyEndpoint": endpoint,
        }
        return ActionResult({"authorizationData": [given]})

    ECRResponse.get_authorization_token = get_authorization_token  # type: ignore[method-assign]


def owner_of(header: str) -> tuple[Principal, str]:
    """Return who shows this Authorization header, and the region of the registry. Hold the lock. NotAuthorized."""
    kind, _, text = header.partition(" ")
    try:
        name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, password = "", ""
    if kind.lower() != "basic" or name != "AWS":
        raise NotAuthorized("Not Authorized")
    for region in list(ecr_backends[ACCOUNT]):
        found = _tokens(region).get(password)
        if found is None:
            continue
        access_key, session, expires = found
        if expires < CLOCK.now():
            raise NotAuthorized("Your authorization token has expired. Reauthenticate and try again.")
        try:
            return principal_of(access_key, session), region
        except NotRecognized as error:
            raise NotAuthorized("Your Authorization Token is invalid.") from error
    raise NotAuthorized("Your Authorization Token is invalid.")


def _tokens(region: str) -> dict[str, tuple[str, str | None, float]]:
    """Password to access key, session token, and when it expires. On moto's object, so that it outlives a crash."""
    backend: Any = ecr_backends[ACCOUNT][region]
    if not hasattr(backend, "local_aws_tokens"):
        backend.local_aws_tokens = {}
    return backend.local_aws_tokens  # type: ignore[no-any-return]
