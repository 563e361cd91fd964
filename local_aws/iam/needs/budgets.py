"""What a request to AWS Budgets needs.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbudgetservice.html
"""

from __future__ import annotations

import json

from local_aws.calls import Call
from local_aws.iam.policies import Need

_MODIFY = frozenset(["CreateBudget", "CreateNotification", "DeleteBudget", "DeleteNotification"])
_VIEW = frozenset(["DescribeBudget", "DescribeNotificationsForBudget", "DescribeSubscribersForNotification"])


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    if call.action == "DescribeBudgets":
        return [Need("budgets:ViewBudget", f"arn:aws:budgets::{account}:budget/*")]
    if call.action not in _MODIFY | _VIEW:
        return None
    name = call.parameters.get("BudgetName") or json.loads(call.parameters.get("Budget", "{}")).get("BudgetName", "")
    word = "ModifyBudget" if call.action in _MODIFY else "ViewBudget"
    return [Need(f"budgets:{word}", f"arn:aws:budgets::{account}:budget/{name}")]
