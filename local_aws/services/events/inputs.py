"""What a target is given of an event: all of it, a constant, a part, or a template.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from typing import Any

_STEP = re.compile(r"""\.([^.\[\]'"]+)|\[(\d+)\]|\['([^']+)'\]|\["([^"]+)"\]""")
_VARIABLE = re.compile(r"<([^<>\s]+)>")
_NOTHING = object()


class InvalidPath(ValueError):
    """No path that EventBridge takes."""


def text_for(target: dict[str, Any], event: dict[str, Any], rule_name: str, rule_arn: str) -> str:
    """Return the text that `target` of a rule is given."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        found = look_up(target["InputPath"], event)
        return "{}" if found is _NOTHING else json.dumps(found)
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(event)
    values = {name: look_up(path, event) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }
    return filled(transformer["InputTemplate"], values)


def look_up(path: str, event: Any) -> Any:
    """Return what is at a path like $.detail.items[0]. InvalidPath."""
    for name in check_path(path):
        if isinstance(name, int):
            event = event[name] if isinstance(event, list) and name < len(event) else _NOTHING
        else:
            event = event.get(name, _NOTHING) if isinstance(event, dict) else _NOTHING
    return event


def check_path(path: str) -> list[str | int]:
    """Return the steps of a path. InvalidPath."""
    if not path.startswith("$"):
        raise InvalidPath(path)
    place, steps = 1, []
    while place < len(path):
        found = _STEP.match(path, place)
        if found is None:
            raise InvalidPath(path)
        steps.append(int(found[2]) if found[2] else found[1] or found[3] or found[4])
        place = found.end()
    return steps


def filled(template: str, values: dict[str, Any]) -> str:
    """Return a template with its variables filled in.

    Within quotes a text stands as it is, elsewhere every value is JSON. A path that leads nowhere leaves nothing.
    """
    parts, quoted, done = [], False, 0
    for found in _VARIABLE.finditer(template):
        between = template[done : found.start()]
        parts.append(between)
        quoted ^= len(re.findall(r'(?<!\\)"', between)) % 2 == 1
        value = values.get(found[1], _NOTHING)
        if found[1] not in values:
            parts.append(found[0])
        elif value is _NOTHING:
            parts.append("" if quoted else '""')
        elif quoted:
            parts.append(json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1])
        else:
            parts.append(json.dumps(value))
        done = found.end()
    return "".join([*parts, template[done:]])
