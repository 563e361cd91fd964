"""What EventBridge's scheduler refuses by its documents."""

from __future__ import annotations

from collections.abc import Iterator

from local_aws.services.scheduler import expressions, targets
from local_aws.strict.rules import Parameters, Refusal, tag_refusals

_CODE = "ValidationException"


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    yield from tag_refusals(given.get("Tags", []), _CODE, unique=True)
    if action in ("CreateSchedule", "UpdateSchedule"):
        yield from _of_expression(given.get("ScheduleExpression", ""), given.get("ScheduleExpressionTimezone", ""))
        window = given.get("FlexibleTimeWindow", {})
        if (window.get("Mode") == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
            yield Refusal(_CODE, "MaximumWindowInMinutes is required for the mode FLEXIBLE, and only taken for that.")
        try:
            targets.check(given.get("Target", {}))
        except targets.InvalidTarget as error:
            yield Refusal(_CODE, str(error))


def _of_expression(expression: str, zone: str) -> Iterator[Refusal]:
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
    try:
        local = expressions.zone_of(zone)
    except expressions.InvalidExpression:
        yield Refusal(_CODE, f"Invalid Schedule Expression Timezone {zone}.")
        return
    try:
        if expressions.once(expression, local) is None:
            expressions.recurrence(expression, local, 0.0)
    except expressions.InvalidExpression:
        yield Refusal(_CODE, f"Invalid Schedule Expression {expression}.")
