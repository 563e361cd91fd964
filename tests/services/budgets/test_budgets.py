"""A budget with its notifications and who is told."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.services.accounts import ACCOUNT, allow

NOTIFICATION = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
TOLD = [{"SubscriptionType": "SNS", "Address": f"arn:aws:sns:us-east-1:{ACCOUNT}:t"}]
BUDGET = {
    "BudgetName": "b",
    "BudgetType": "COST",
    "TimeUnit": "MONTHLY",
    "BudgetLimit": {"Amount": "10", "Unit": "USD"},
}


def make(budgets: Any) -> None:
    notifications = [{"Notification": NOTIFICATION, "Subscribers": TOLD}]
    budgets.create_budget(AccountId=ACCOUNT, Budget=BUDGET, NotificationsWithSubscribers=notifications)


def told(budgets: Any, **other: Any) -> Any:
    asked = {"AccountId": ACCOUNT, "BudgetName": "b", "Notification": NOTIFICATION | other}
    return budgets.describe_subscribers_for_notification(**asked)["Subscribers"]


def test_who_is_told(aws: Any) -> None:
    budgets = aws.client("budgets")
    make(budgets)
    assert told(budgets) == TOLD
    with pytest.raises(budgets.exceptions.NotFoundException, match="no such notification"):
        told(budgets, Threshold=90.0)
    budgets.delete_budget(AccountId=ACCOUNT, BudgetName="b")
    with pytest.raises(budgets.exceptions.NotFoundException):
        told(budgets)


def test_only_who_may(aws: Any) -> None:
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/b"
    view = {"Version": "2012-10-17", "Statement": [allow("budgets:ViewBudget", arn)]}
    user = aws.new_user("reader", view=view)
    make(aws.client("budgets"))
    budgets = aws.client("budgets", credentials=user)
    assert told(budgets) == TOLD
    with pytest.raises(ClientError, match="budgets:ModifyBudget"):
        budgets.delete_budget(AccountId=ACCOUNT, BudgetName="b")
    with pytest.raises(ClientError, match=r"budgets:ModifyBudget on resource: .*budget/b"):
        make(budgets)


def test_moto_does_not_know_who_is_told() -> None:
    with mock_aws():
        budgets = boto3.client("budgets", region_name="us-east-1")
        make(budgets)
        with pytest.raises((ClientError, NotImplementedError)):
            told(budgets)
