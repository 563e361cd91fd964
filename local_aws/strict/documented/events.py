"""What EventBridge refuses by its documents."""

from __future__ import annotations

import json
from collections.abc import Iterator

from local_aws.services.events import inputs, patterns
from local_aws.services.events.schedules import is_valid
from local_aws.services.events.targets import refusals as target_refusals
from local_aws.strict.rules import Parameters, Refusal, tag_refusals

_CODE = "ValidationException"
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
_MOST_BYTES = 262_144
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
_MOST_TARGETS = 5


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    yield from tag_refusals(given.get("Tags", []), _CODE, unique=True)
    if action in ("PutRule", "TestEventPattern"):
        yield from _of_pattern(given.get("EventPattern"))
    if action == "PutRule":
        expression = given.get("ScheduleExpression")
        if expression and not is_valid(expression):
            yield Refusal(_CODE, "Parameter ScheduleExpression is not valid.")
    if action == "TestEventPattern":
        yield from _of_test(given.get("Event", ""))
    if action == "PutTargets":
        yield from _of_targets(given.get("Targets", []))
    if action == "PutEvents" and sum(map(_size, given.get("Entries", []))) >= _MOST_BYTES:
        yield Refusal(_CODE, "Total size of the entries in the request is over the limit.")


def _size(entry: Parameters) -> int:
    texts = [*(entry.get(name) or "" for name in ("Source", "DetailType", "Detail")), *(entry.get("Resources") or [])]
    return (14 if entry.get("Time") else 0) + sum(len(text.encode()) for text in texts)


def _of_pattern(text: str | None) -> Iterator[Refusal]:
    if text:
        try:
            patterns.check(text)
        except patterns.InvalidPattern as error:
            yield Refusal("InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}")


def _of_test(text: str) -> Iterator[Refusal]:
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html
    needed = ("id", "account", "source", "time", "region", "resources", "detail-type")
    try:
        event = json.loads(text)
        missing = [name for name in needed if name not in event]
    except (ValueError, TypeError):
        yield Refusal(_CODE, "Parameter Event is not valid.")
        return
    if missing:
        yield Refusal(_CODE, f"Parameter Event is not valid. Reason: {', '.join(missing)} must be in the event.")


def _of_targets(given: list[Parameters]) -> Iterator[Refusal]:
    if len(given) > _MOST_TARGETS:
        yield Refusal("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    for target in given:
        said = target_refusals(target)
        if said:
            yield Refusal(_CODE, said)
        paths = [target.get("InputPath"), *((target.get("InputTransformer") or {}).get("InputPathsMap") or {}).values()]
        for path in filter(None, paths):
            try:
                inputs.check_path(path)
            except inputs.InvalidPath:
                yield Refusal(_CODE, f"Invalid InputPath for target {target.get('Id')}.")
        text = target.get("Input")
        if text:
            try:
                json.loads(text)
            except ValueError:
                yield Refusal(_CODE, f"JSON text is not valid for the Input of target {target.get('Id')}.")
