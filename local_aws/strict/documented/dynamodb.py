"""What DynamoDB refuses by its documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
_TABLE = re.compile(r"[a-zA-Z0-9_.-]{3,255}")


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html"""
    yield from tag_refusals(given.get("Tags", []), "ValidationException", unique=True)
    if action == "CreateTable" and not _TABLE.fullmatch(given.get("TableName", "")):
        yield Refusal(
            "ValidationException",
            "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the "
            "characters a-z, A-Z, 0-9, '_', '-', and '.'",
        )
