"""DescribeSubscribersForNotification, which moto 5.2.5 does not have.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_DescribeSubscribersForNotification.html
"""

from __future__ import annotations

import json
from typing import Any

from moto.budgets.exceptions import NotFoundException
from moto.budgets.responses import BudgetsResponse

# What tells a notification from the budget's others.
_IDENTITY = ("NotificationType", "ComparisonOperator", "Threshold")


def close_gap() -> None:
    """Add the operation."""
    BudgetsResponse.describe_subscribers_for_notification = _describe


def _describe(self: Any) -> str:
    account, name, wanted = (self._get_param(key) for key in ("AccountId", "BudgetName", "Notification"))
    self.backend.describe_budget(account_id=account, budget_name=name)
    for one in self.backend.budgets[account][name].notifications:
        if all(one.details[key] == wanted[key] for key in _IDENTITY):
            return json.dumps({"Subscribers": one.subscribers, "NextToken": None})
    raise NotFoundException(f"Unable to get subscribers: the budget {name} has no such notification.")
