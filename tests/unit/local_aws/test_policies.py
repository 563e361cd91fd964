"""How statements add up: default deny, explicit deny, resource policies, boundaries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws.iam.conditions import UnknownElement
from local_aws.iam.policies import Need, Statement, decide, parse
from local_aws.iam.principals import Principal

READ = Need("s3:GetObject", "arn:aws:s3:::bucket/dev/a", {"aws:username": "ada"})


def statements(*raw: dict[str, Any]) -> tuple[Statement, ...]:
    return parse(json.dumps({"Statement": list(raw)}), "p")


def allow(**more: Any) -> dict[str, Any]:
    return {"Sid": "A", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **more}


def test_nothing_is_allowed_by_itself() -> None:
    decision = decide(READ, ())
    assert not decision.allowed and "no identity-based policy allows the s3:GetObject action" in decision.why


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (allow(), True),
        (allow(Action="S3:getobject"), True),
        (allow(Action=["s3:Get*"]), True),
        (allow(Action="s3:Put*"), False),
        (allow(Resource="arn:aws:s3:::bucket/dev/*"), True),
        (allow(Resource="arn:aws:s3:::bucket/stage/*"), False),
        (allow(Resource="arn:aws:s3:::bucket/${aws:username}/*"), False),
        ({"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/*"}, False),
        (allow(Condition={"StringEquals": {"aws:username": "ada"}}), True),
        (allow(Condition={"StringEquals": {"aws:username": "eve"}}), False),
    ],
)
def test_a_statement_covers_what_it_says(statement: dict[str, Any], allowed: bool) -> None:
    assert decide(READ, statements(statement)).allowed is allowed


def test_an_explicit_deny_wins_wherever_it_is() -> None:
    deny = {"Sid": "D", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    for own, theirs in (((allow(), deny), ()), ((allow(),), (deny,)), ((), (allow(Principal="*"), deny))):
        decision = decide(READ, statements(*own), statements(*theirs))
        assert not decision.allowed and [s.name for s in decision.by] == ["p/D"]


def test_a_boundary_must_allow_as_well() -> None:
    assert not decide(READ, statements(allow()), limits=[statements(allow(Action="s3:PutObject"))]).allowed
    assert decide(READ, statements(allow()), limits=[statements(allow())]).allowed


def test_the_statements_that_allowed_are_named() -> None:
    decision = decide(READ, statements(allow(), allow(Sid="B", Action="s3:*"), allow(Sid="C", Action="s3:Put*")))
    assert [s.sid for s in decision.by] == ["A", "B"]


@pytest.mark.parametrize(
    ("principal", "effect", "named"),
    [
        ("*", "Allow", True),
        ({"AWS": "*"}, "Allow", True),
        ({"AWS": "arn:aws:iam::123456789012:user/ada"}, "Allow", True),
        ({"AWS": ["arn:aws:iam::123456789012:user/eve"]}, "Allow", False),
        ({"AWS": "123456789012"}, "Allow", False),  # the account's own policies decide
        ({"AWS": "arn:aws:iam::123456789012:root"}, "Deny", True),
        ({"Service": "ec2.amazonaws.com"}, "Allow", False),
    ],
)
def test_whom_a_resource_policy_names(principal: Any, effect: str, named: bool) -> None:
    ada = Principal("user", arn="arn:aws:iam::123456789012:user/ada", names=("arn:aws:iam::123456789012:user/ada",))
    statement = statements(allow(Principal=principal, Effect=effect))
    assert bool(list(ada.named(statement))) is named


def test_an_element_that_is_not_known_is_an_error() -> None:
    with pytest.raises(UnknownElement, match="NotPrincipal"):
        statements(allow(NotPrincipal="*"))
