"""Policy documents compared: what IAM takes for the same is the same, and everything else is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from chronos_training.control.provision.policies import differences

WANT = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Read",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "a",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}, "StringLike": {"s3:prefix": ["a/*", "b/*"]}},
        },
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "a"},
    ],
}


def changed(change: Callable[[Any], Any]) -> list[str]:
    found = copy.deepcopy(WANT)
    change(found)
    return differences(found, WANT)


def test_what_iam_takes_for_the_same_is_no_difference() -> None:
    def respell(policy: Any) -> None:
        read = policy["Statement"][0]
        read["Action"].reverse()
        read["Resource"] = ["a"]
        read["Condition"] = {"StringLike": {"s3:prefix": ["b/*", "a/*"]}, "Bool": {"aws:SecureTransport": True}}
        policy["Statement"].reverse()

    assert changed(respell) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p["Statement"][0]["Action"].append("s3:DeleteObject"), ["Read was changed"]),
        (lambda p: p["Statement"][0].update(Effect="Deny"), ["Read was changed"]),
        (lambda p: p["Statement"][0]["Condition"].pop("Bool"), ["Read was changed"]),
        (lambda p: p["Statement"][0].update(NotResource=p["Statement"][0].pop("Resource")), ["Read was changed"]),
        (lambda p: p["Statement"].pop(0), ["Read is missing"]),
        (lambda p: p["Statement"].append({"Sid": "More", "Effect": "Allow"}), ["More was added"]),
        (lambda p: p.update(Version="2008-10-17"), ["its Version is 2008-10-17"]),
    ],
)
def test_each_change_is_named(change: Callable[[Any], Any], said: list[str]) -> None:
    assert changed(change) == said


def test_a_statement_without_a_name_is_told_by_what_it_says() -> None:
    [said] = changed(lambda p: p["Statement"].append({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "b"}))
    assert said.startswith("a statement without Sid") and '"Resource": ["b"]' in said and said.endswith("was added")
    assert differences({}, WANT) and differences({"Version": "2012-10-17", "Statement": WANT["Statement"][0]}, WANT)
