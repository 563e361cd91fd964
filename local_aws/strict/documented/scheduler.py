"""What EventBridge's scheduler refuses by its documents."""

from __future__ import annotations

import json
from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    yield from tag_refusals(given.get("Tags", []), "ValidationException", unique=True)
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html: the Input is the request.
    text = given.get("Target", {}).get("Input")
    if text is not None and ":aws-sdk:" in given.get("Target", {}).get("Arn", ""):
        try:
            json.loads(text)
        except ValueError:
            yield Refusal("ValidationException", "Invalid RequestJson provided. Reason: Input is not valid JSON.")
