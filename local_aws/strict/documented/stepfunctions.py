"""What Step Functions refuses by its documents."""

from __future__ import annotations

from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented. https://docs.aws.amazon.com/step-functions/latest/dg/concepts-tagging.html"""
    tags = [{"Key": tag.get("key", ""), "Value": tag.get("value", "")} for tag in given.get("tags", [])]
    yield from tag_refusals(tags, "ValidationException", unique=True)
