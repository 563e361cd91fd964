"""What Secrets Manager refuses by its documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_LARGEST = 65_536


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    yield from tag_refusals(given.get("Tags", []), "InvalidParameterException", unique=True)
    if action == "CreateSecret" and not _NAME.fullmatch(given.get("Name", "")):
        yield Refusal(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        )
    if len(str(given.get("SecretString", "")).encode()) > _LARGEST:
        yield Refusal("ValidationException", f"The secret value is larger than {_LARGEST} bytes.")
