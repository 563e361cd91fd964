"""Finds secrets: by name, ARN, or ARN without its random end."""

from __future__ import annotations

from typing import Any

from moto.secretsmanager.models import secretsmanager_backends

from local_aws.iam.principals import ACCOUNT


def find_secret(identity: str, region: str) -> Any:
    """Return moto's secret, or None."""
    if identity.startswith("arn:"):
        region = identity.split(":")[3]
    return secretsmanager_backends[ACCOUNT][region].secrets.get(identity)


def policy_of(arn: str) -> str | None:
    """Return the resource policy of a secret, by its ARN."""
    secret = find_secret(arn, "")
    return secret.policy if secret is not None else None
