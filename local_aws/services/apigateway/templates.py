"""Text with `$context.…` and `$stageVariables.…` in it: access logs, gateway responses, mock integrations, URIs.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(?:context|stageVariables)\.[a-zA-Z0-9_.]*[a-zA-Z0-9_]|\$\{stageVariables\.[a-zA-Z0-9_]+\}")


def literal(text: str) -> bool:
    """Whether there is nothing else of Velocity in it."""
    rest = _VARIABLE.sub("", text)
    return "$" not in rest and not re.search(r"#(?:set|if|foreach|define|macro)\b", rest)


def fill(text: str, context: Mapping[str, str], variables: Mapping[str, str], missing: str = "") -> str:
    """Replace the variables. `context` by their names after `$context.`."""

    def value(found: re.Match[str]) -> str:
        name = found.group().strip("${}")
        kind, _, rest = name.partition(".")
        return (variables if kind == "stageVariables" else context).get(rest, missing)

    return _VARIABLE.sub(value, text)


def quoted(text: str) -> str:
    """As `$context.error.messageString` is."""
    return json.dumps(text)
