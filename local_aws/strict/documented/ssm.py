"""What the parameter store refuses by its documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
_PARAMETER_NAME = re.compile(r"[a-zA-Z0-9_.\-/]{1,1011}")
_PARAMETER_LEVELS, _STANDARD_PARAMETER = 15, 4096


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    yield from tag_refusals(given.get("Tags", []), "ValidationException", unique=True)
    if action != "PutParameter":
        return
    name, value = given.get("Name", ""), given.get("Value", "")
    levels = name.strip("/").split("/")
    if not _PARAMETER_NAME.fullmatch(name) or name.endswith("/") or levels[0].lower().startswith(("aws", "ssm")):
        yield Refusal(
            "ValidationException",
            'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive). Only a mix of letters, numbers and '
            "the following 3 symbols .-_ are allowed; between them / as a hierarchy.",
        )
    if len(levels) > _PARAMETER_LEVELS:
        yield Refusal("HierarchyLevelLimitExceededException", f"A hierarchy has at most {_PARAMETER_LEVELS} levels.")
    if given.get("Tier", "Standard") == "Standard" and len(value.encode()) > _STANDARD_PARAMETER:
        yield Refusal(
            "ValidationException", f"Standard tier parameters support a maximum of {_STANDARD_PARAMETER} characters."
        )
    if not value:
        yield Refusal("ValidationException", "Parameter value: must have length greater than or equal to 1.")
