"""PutDashboard: the body is checked, and what CloudWatch would say of it is answered.

moto 5.2.5 takes any JSON.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from moto.cloudwatch.exceptions import DashboardInvalidInputError
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local_aws.services.cloudwatch import statistics
from local_aws.services.patching import replace

_TYPES = ("metric", "text", "log", "alarm", "explorer", "custom")
_VIEWS = ("timeSeries", "singleValue", "gauge", "bar", "pie", "table")
_MOST_WIDGETS, _WIDTH, _HEIGHT = 500, 24, 1000
Message = dict[str, str]


def install() -> None:
    """Let moto check this."""
    replace(CloudWatchResponse, put_dashboard=_put_dashboard)


def _put_dashboard(self: CloudWatchResponse) -> ActionResult:
    name, body = self._get_param("DashboardName"), self._get_param("DashboardBody")
    found = list(messages(body))
    errors = [message for message in found if message.get("level") == "error"]
    said = [{key: message[key] for key in ("DataPath", "Message")} for message in found]
    if errors:
        listed = "; ".join(f"{one['DataPath']} {one['Message']}" for one in errors)
        raise DashboardInvalidInputError(f"The field DashboardBody must be a valid dashboard: {listed}")
    self.cloudwatch_backend.put_dashboard(name, body)
    return ActionResult({"DashboardValidationMessages": said})


def messages(body: str) -> Iterator[Message]:
    """Yield what is wrong with a body (level error: it is not taken) or odd (level warning)."""
    try:
        document = json.loads(body)
    except ValueError:
        yield _error("/", "The field DashboardBody must be a valid JSON object")
        return
    if not isinstance(document, dict):
        yield _error("/", "Should be an object")
        return
    for field in document:
        if field not in ("widgets", "start", "end", "periodOverride", "variables"):
            yield _warning(f"/{field}", f'The dashboard has an unknown field "{field}"')
    widgets = document.get("widgets")
    if not isinstance(widgets, list):
        yield _error("/widgets", "Should have required property 'widgets', an array")
        return
    if len(widgets) > _MOST_WIDGETS:
        yield _error("/widgets", f"Should NOT have more than {_MOST_WIDGETS} items")
    for number, widget in enumerate(widgets):
        yield from _widget(widget, f"/widgets/{number}")


def _error(path: str, message: str) -> Message:
    return {"DataPath": path, "Message": message, "level": "error"}


def _warning(path: str, message: str) -> Message:
    return {"DataPath": path, "Message": message, "level": "warning"}


def _widget(widget: Any, path: str) -> Iterator[Message]:
    if not isinstance(widget, dict):
        yield _error(path, "Should be an object")
        return
    kind, properties = widget.get("type"), widget.get("properties")
    if kind not in _TYPES:
        yield _error(f"{path}/type", f"Should be one of: {', '.join(_TYPES)}")
        return
    for name, least, most in (("x", 0, _WIDTH - 1), ("y", 0, 10_000), ("width", 1, _WIDTH), ("height", 1, _HEIGHT)):
        value = widget.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most):
            yield _error(f"{path}/{name}", f"Should be an integer from {least} to {most}")
    if ("x" in widget) != ("y" in widget):
        yield _error(path, "Should have both of x and y, or neither")
    x, width = widget.get("x", 0), widget.get("width", 6)
    if isinstance(x, int) and isinstance(width, int) and x + width > _WIDTH:
        yield _warning(path, f"The widget reaches beyond the {_WIDTH} columns of the dashboard")
    if not isinstance(properties, dict):
        yield _error(path, "Should have required property 'properties'")
        return
    yield from _properties(kind, properties, f"{path}/properties")


def _properties(kind: str, properties: dict[str, Any], path: str) -> Iterator[Message]:
    if kind == "text" and not isinstance(properties.get("markdown"), str):
        yield _error(path, "Should have required property 'markdown'")
    elif kind == "alarm" and not (isinstance(properties.get("alarms"), list) and properties["alarms"]):
        yield _error(path, "Should have required property 'alarms'")
    elif kind == "log":
        for name in ("query", "region"):
            if not isinstance(properties.get(name), str):
                yield _error(path, f"Should have required property '{name}'")
    elif kind == "metric":
        yield from _metric(properties, path)


def _metric(properties: dict[str, Any], path: str) -> Iterator[Message]:
    if "metrics" not in properties and "alarms" not in properties.get("annotations", {}):
        yield _error(path, "Should have required property 'metrics', or annotations with alarms")
    if "region" not in properties:
        yield _error(path, "Should have required property 'region'")
    if properties.get("view", "timeSeries") not in _VIEWS:
        yield _error(f"{path}/view", f"Should be one of: {', '.join(_VIEWS)}")
    period = properties.get("period", 300)
    if (
        isinstance(period, bool)
        or not isinstance(period, int)
        or (period not in (1, 5, 10, 30) and (period < 60 or period % 60))
    ):
        yield _error(f"{path}/period", "Should be 1, 5, 10, 30, or a multiple of 60")
    if not isinstance(properties.get("stat", "Average"), str) or not statistics.is_known(
        properties.get("stat", "Average")
    ):
        yield _warning(f"{path}/stat", f"Unknown statistic {properties.get('stat')}")
    for number, metric in enumerate(properties.get("metrics") or []):
        place = f"{path}/metrics/{number}"
        if not isinstance(metric, list) or not metric:
            yield _error(place, "Should be a non-empty array")
            continue
        names = metric[:-1] if isinstance(metric[-1], dict) else metric
        expression = isinstance(metric[-1], dict) and "expression" in metric[-1]
        if not all(isinstance(one, str) for one in names):
            yield _error(
                place, "Invalid metric field type: namespace, name, and names and values of dimensions are text"
            )
        elif not expression and (len(names) < 2 or len(names) % 2):
            yield _error(place, "Should have a namespace, a metric's name, and pairs of dimensions' names and values")
