"""What ECR refuses by its documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageIdentifier.html, as the distribution specification has it
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    yield from tag_refusals(given.get("tags", []), "InvalidTagParameterException", unique=True)
    tag = given.get("imageTag")
    if action == "PutImage" and tag is not None and not _TAG.fullmatch(tag):
        said = f"Invalid parameter at 'imageTag' failed to satisfy constraint: '{tag}' is no tag"
        yield Refusal("InvalidParameterException", said)
    if action == "PutLifecyclePolicy":
        yield from _lifecycle(given.get("lifecyclePolicyText", ""))


def _lifecycle(text: str) -> Iterator[Refusal]:
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html"""
    try:
        rules = json.loads(text)["rules"]
        priorities = [int(rule["rulePriority"]) for rule in rules]
        selections = [rule["selection"] for rule in rules]
        statuses = [selection["tagStatus"] for selection in selections]
    except (ValueError, KeyError, TypeError):
        return  # moto says what is missing
    begin = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: "
    if len(set(priorities)) < len(priorities):
        yield Refusal("InvalidParameterException", f"{begin}rule priorities must be unique'")
    if "any" in statuses and priorities[statuses.index("any")] != max(priorities):
        yield Refusal("InvalidParameterException", f"{begin}a rule with tagStatus any must have the lowest priority'")
    for selection in selections:
        named = selection.get("tagPrefixList") or selection.get("tagPatternList")
        if selection["tagStatus"] == "tagged" and not named:
            yield Refusal("InvalidParameterException", f"{begin}tagged images need a tagPrefixList or tagPatternList'")
