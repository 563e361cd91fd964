"""Secrets that exist once and that only people and their owners change: nothing here reads or replaces a value.

The collection's module compares and replaces values, and so needs one in a variable, where it would be seen.
"""

from __future__ import annotations

import contextlib
from typing import Any

from chronos_training.core import aws

# A key of API Gateway has 20 to 128 characters:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-setup-api-keys.html
_LENGTH = 40


def ensure_present(
    secrets: Any, name: str, description: str, tags: dict[str, str], *, generate: bool, check_mode: bool
) -> dict[str, Any]:
    """Make the secret where it is missing, with a random value if `generate`, else with none. Returns changed and arn."""
    found = _find(secrets, name)
    wanted = [{"Key": key, "Value": value} for key, value in tags.items()]
    if found is None or "DeletedDate" in found:
        if check_mode:
            return {"changed": True, "arn": "", "diff": {"before": "", "after": f"{name}\n"}}
        with aws.explained(f"make the secret {name}"):
            if found is not None:
                arn = str(secrets.restore_secret(SecretId=name)["ARN"])
            else:
                value = {"SecretString": _password(secrets)} if generate else {}
                arn = secrets.create_secret(Name=name, Description=description, Tags=wanted, **value)["ARN"]
        return {"changed": True, "arn": arn, "diff": {"before": "", "after": f"{name}\n"}}
    arn = found["ARN"]
    tagged = tags.items() <= {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}.items()
    if not tagged and not check_mode:
        with aws.explained(f"tag the secret {name}"):
            secrets.tag_resource(SecretId=name, Tags=wanted)
    return {"changed": not tagged, "arn": arn}


def ensure_absent(secrets: Any, name: str, *, check_mode: bool) -> dict[str, Any]:
    """Delete the secret with its value, at once: its name is free for the next provisioning. Returns changed."""
    found = _find(secrets, name)
    if found is not None and not check_mode:
        with aws.explained(f"delete the secret {name}"):
            secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    return {"changed": found is not None}


def _find(secrets: Any, name: str) -> dict[str, Any] | None:
    with aws.explained(f"look at the secret {name}"), contextlib.suppress(secrets.exceptions.ResourceNotFoundException):
        found: dict[str, Any] = secrets.describe_secret(SecretId=name)
        return found
    return None


def _password(secrets: Any) -> str:
    return str(secrets.get_random_password(PasswordLength=_LENGTH, ExcludePunctuation=True)["RandomPassword"])
