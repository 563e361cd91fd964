"""Opens Budgets: who is told of a budget can be asked."""

from __future__ import annotations

from local_aws.services.aws import Aws
from local_aws.services.budgets import subscribers


def open_service(aws: Aws) -> None:
    subscribers.close_gap()
