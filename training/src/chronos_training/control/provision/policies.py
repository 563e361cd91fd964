"""IAM policy documents compared by what they say: IAM knows no order, and one value is a list of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def differences(found: Json, want: Json) -> list[str]:
    """Return in words how `found` differs from `want`, statement by statement; empty when both say the same."""
    there, wanted = _statements(found), _statements(want)
    said = [f"{name} was added" for name in there if name not in wanted]
    said += [f"{name} is missing" for name in wanted if name not in there]
    said += [f"{name} was changed" for name, one in wanted.items() if name in there and there[name] != one]
    if found.get("Version") != want.get("Version"):
        said.append(f"its Version is {found.get('Version')}")
    return said


def _statements(policy: Json) -> dict[str, str]:
    """Return each statement in a form that can be compared, by its Sid; without one, by what it says."""
    statements = policy.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return {str(one.get("Sid") or f"a statement without Sid ({_comparable(one)})"): _comparable(one) for one in listed}


def _comparable(statement: Json) -> str:
    def parts() -> Iterator[tuple[str, Any]]:
        for element, value in statement.items():
            if element == "Condition":
                yield element, {o: {k: _listed(v) for k, v in keys.items()} for o, keys in value.items()}
            elif element == "Principal" and isinstance(value, dict):
                yield element, {kind: _listed(who) for kind, who in value.items()}
            else:
                yield element, _listed(value)

    return json.dumps(dict(parts()), sort_keys=True)


def _listed(value: Any) -> list[str]:
    """IAM takes true for "true" and 1 for "1"."""
    values = value if isinstance(value, list) else [value]
    return sorted(str(one).lower() if isinstance(one, bool) else str(one) for one in values)
