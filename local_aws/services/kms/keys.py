"""Finds keys: by id, ARN, alias or alias' ARN."""

from __future__ import annotations

from typing import Any

from moto.kms.models import kms_backends

from local_aws.iam.principals import ACCOUNT


def find_key(identity: str, region: str) -> Any:
    """Return moto's key, or None."""
    if identity.startswith("arn:"):
        region, identity = identity.split(":")[3], identity.split(":", 5)[5].removeprefix("key/")
    backend = kms_backends[ACCOUNT][region]
    if identity.startswith("alias/"):
        identity = backend.get_key_id_from_alias(identity) or ""
    return backend.keys.get(identity)


def policy_of(arn: str) -> str | None:
    """Return the policy of a key, by its ARN."""
    key = find_key(arn, "")
    return str(key.policy) if key is not None else None
