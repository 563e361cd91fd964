"""A CloudWatch dashboard, for which the collections have no module."""

from __future__ import annotations

import json
from typing import Any

from chronos_training.core import aws
from chronos_training.core.errors import ConfigurationError


def ensure_present(cloudwatch: Any, name: str, body: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Put the dashboard if it differs. Returns changed and diff. ConfigurationError for a body that CloudWatch would show wrong."""
    before = _body(cloudwatch, name)
    if before == body:
        return {"changed": False}
    if not check_mode:
        with aws.explained(f"put the dashboard {name}"):
            answer = cloudwatch.put_dashboard(DashboardName=name, DashboardBody=json.dumps(body))
        # It is stored in spite of them.
        if found := answer.get("DashboardValidationMessages"):
            said = "; ".join(f"{one.get('DataPath', '')}: {one['Message']}" for one in found)
            raise ConfigurationError(f"The dashboard {name} is not shown as it should be: {said}")
    return {"changed": True, "diff": {"before": _text(before), "after": _text(body)}}


def _body(cloudwatch: Any, name: str) -> dict[str, Any] | None:
    with aws.explained(f"read the dashboard {name}"):
        try:
            found: dict[str, Any] = json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
        except cloudwatch.exceptions.ClientError as error:
            if aws.error_code(error) in ("ResourceNotFound", "ResourceNotFoundException"):
                return None
            raise
        return found


def _text(body: dict[str, Any] | None) -> str:
    return "" if body is None else json.dumps(body, indent=2, sort_keys=True) + "\n"
