"""GitHub as an identity provider of the account: one for all environments, and for whatever else trusts it."""

from __future__ import annotations

import json
from typing import Any

from chronos_training.core import aws
from chronos_training.core.aws_types import IAMClient

HOST = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
# Who made it: only then a teardown may remove it.
_MARK = {"Key": "Stack", "Value": "volatility"}


def ensure_present(iam: IAMClient, tags: dict[str, str], *, check_mode: bool) -> dict[str, Any]:
    """Make the provider unless the account has it; one that somebody else made is used as it is, with our audience."""
    arn = _find(iam)
    audiences = _audiences(iam, arn) if arn else []
    if not check_mode:
        with aws.explained(f"make the identity provider {HOST}"):
            if not arn:
                ours: list[Any] = [{"Key": key, "Value": value} for key, value in tags.items()]
                iam.create_open_id_connect_provider(Url=f"https://{HOST}", ClientIDList=[AUDIENCE], Tags=ours)
            elif AUDIENCE not in audiences:
                iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=AUDIENCE)
    return {"changed": AUDIENCE not in audiences}


def ensure_absent(iam: IAMClient, prefix: str, *, check_mode: bool) -> dict[str, Any]:
    """Remove the provider if it is ours and no role of the account but those of `prefix` trusts it any more."""
    arn = _find(iam)
    if not arn or not _is_ours(iam, arn) or _is_trusted(iam, arn, prefix):
        return {"changed": False}
    if not check_mode:
        with aws.explained(f"remove the identity provider {HOST}"):
            iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    return {"changed": True}


def _find(iam: IAMClient) -> str:
    with aws.explained("list the account's identity providers"):
        found = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    return next((str(one["Arn"]) for one in found if one["Arn"].endswith(f"/{HOST}")), "")


def _audiences(iam: IAMClient, arn: str) -> list[str]:
    with aws.explained(f"look at the identity provider {HOST}"):
        return iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"]


def _is_ours(iam: IAMClient, arn: str) -> bool:
    with aws.explained(f"look at the identity provider {HOST}"):
        return _MARK in iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"]


def _is_trusted(iam: IAMClient, arn: str, prefix: str) -> bool:
    with aws.explained("list the account's roles"):
        pages = iam.get_paginator("list_roles").paginate()
        roles = [role for page in pages for role in page["Roles"] if not role["RoleName"].startswith(prefix)]
    return any(arn in json.dumps(role["AssumeRolePolicyDocument"]) for role in roles)
