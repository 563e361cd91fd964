"""What CloudWatch refuses by its documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
_DASHBOARD = re.compile(r"[A-Za-z0-9_-]{1,255}")


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented. https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""
    yield from tag_refusals(given.get("Tags", []), "ValidationError", unique=True)
    if action == "PutDashboard" and not _DASHBOARD.fullmatch(given.get("DashboardName", "")):
        yield Refusal(
            "InvalidParameterValue", "The dashboard's name may have letters, digits, - and _ only, 255 at most."
        )
