"""A monthly budget that tells a topic, for which the collections have no module."""

from __future__ import annotations

from typing import Any

from chronos_training.core import aws

# When somebody is told, in percent of the limit: of what was spent, and of what the month is going to cost.
ACTUAL_PERCENT, FORECASTED_PERCENT = 80.0, 100.0


def ensure_present(
    budgets: Any, account: str, name: str, dollars: float, project: str, topic: str, *, check_mode: bool
) -> dict[str, Any]:
    """Make the budget, or replace one that differs. Returns changed and diff.

    It counts what carries the tag Project, once that is activated as a cost allocation tag:
    https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html
    """
    before, after = _seen(budgets, account, name), _wanted(dollars, project, topic)
    if before == after:
        return {"changed": False}
    if not check_mode:
        with aws.explained(f"set the budget {name}"):
            # A budget holds no history of its own, and a new one has its notifications with it in one request.
            if before is not None:
                budgets.delete_budget(AccountId=account, BudgetName=name)
            budgets.create_budget(
                AccountId=account,
                Budget={
                    "BudgetName": name,
                    "BudgetType": "COST",
                    "TimeUnit": "MONTHLY",
                    "BudgetLimit": {"Amount": after["limit"], "Unit": "USD"},
                    "CostFilters": {"TagKeyValue": [after["counts"]]},
                },
                NotificationsWithSubscribers=[
                    {
                        "Notification": _notification(kind, percent),
                        "Subscribers": [{"SubscriptionType": "SNS", "Address": topic}],
                    }
                    for kind, percent in after["tells"]
                ],
            )
    return {"changed": True, "diff": {"before": _text(before), "after": _text(after)}}


def _wanted(dollars: float, project: str, topic: str) -> dict[str, Any]:
    return {
        "limit": f"{dollars:g}",
        "counts": f"user:Project${project}",
        "tells": [("ACTUAL", ACTUAL_PERCENT), ("FORECASTED", FORECASTED_PERCENT)],
        "topics": [topic],
    }


def _seen(budgets: Any, account: str, name: str) -> dict[str, Any] | None:
    with aws.explained(f"look at the budget {name}"):
        try:
            found = budgets.describe_budget(AccountId=account, BudgetName=name)["Budget"]
        except budgets.exceptions.NotFoundException:
            return None
        listed = budgets.describe_notifications_for_budget(AccountId=account, BudgetName=name)["Notifications"]
        topics = set()
        for one in listed:
            asked = {"AccountId": account, "BudgetName": name, "Notification": one}
            subscribers = budgets.describe_subscribers_for_notification(**asked)["Subscribers"]
            topics |= {subscriber["Address"] for subscriber in subscribers}
    return {
        "limit": f"{float(found['BudgetLimit']['Amount']):g}",
        "counts": ",".join(found.get("CostFilters", {}).get("TagKeyValue", [])),
        "tells": sorted((one["NotificationType"], float(one["Threshold"])) for one in listed),
        "topics": sorted(topics),
    }


def _notification(kind: str, percent: float) -> dict[str, Any]:
    return {
        "NotificationType": kind,
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": percent,
        "ThresholdType": "PERCENTAGE",
    }


def _text(budget: dict[str, Any] | None) -> str:
    if budget is None:
        return ""
    told = ", ".join(f"{kind.lower()} {percent:g} %" for kind, percent in budget["tells"])
    return f"{budget['limit']} USD a month of {budget['counts']}; tells {', '.join(budget['topics'])} at {told}\n"
