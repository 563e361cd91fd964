"""What KMS refuses by its documents."""

from __future__ import annotations

from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented. https://docs.aws.amazon.com/kms/latest/developerguide/add-tags.html"""
    tags = [{"Key": tag.get("TagKey", ""), "Value": tag.get("TagValue", "")} for tag in given.get("Tags", [])]
    yield from tag_refusals(tags, "TagException", unique=True)
