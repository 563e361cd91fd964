"""What the rules of all services share: a refusal, and the rules of tags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chronos_training.control.options.aws_patterns import fits

Parameters = dict[str, Any]

# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html, "Tag naming limits and requirements"
_TAG_TEXT = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"
_MOST_TAGS, _LONGEST_TAG_KEY, _LONGEST_TAG_VALUE = 50, 128, 256


@dataclass(frozen=True)
class Refusal:
    """What AWS answers."""

    code: str
    message: str
    status: int = 400


def tag_refusals(
    tags: list[Parameters], code: str, *, text: str | None = _TAG_TEXT, unique: bool = False, ignore_case: bool = False
) -> Iterator[Refusal]:
    """Yield what breaks the rules of tags. `text` is the pattern of keys and values, None where any character is taken."""
    pairs = [(str(tag.get("Key", "")), str(tag.get("Value", ""))) for tag in tags]
    if len(pairs) > _MOST_TAGS:
        yield Refusal("TooManyTags" if code == "InvalidTag" else code, f"Tag limit is {_MOST_TAGS}.")
    for key, value in pairs:
        if not 1 <= len(key) <= _LONGEST_TAG_KEY or len(value) > _LONGEST_TAG_VALUE:
            yield Refusal(
                code, f"Tag keys have 1 to {_LONGEST_TAG_KEY} characters, values {_LONGEST_TAG_VALUE} at most: '{key}'."
            )
        elif key.lower().startswith("aws:"):
            yield Refusal(code, f"Tag keys starting with 'aws:' are reserved for internal use: '{key}'.")
        elif text is not None and not all(fits(text, part) for part in (key, value)):
            yield Refusal(code, f"The tag '{key}' with the value '{value}' has characters that are not allowed.")
    keys = [key.lower() if ignore_case else key for key, _ in pairs]
    if unique and len(set(keys)) < len(keys):
        yield Refusal(code, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
