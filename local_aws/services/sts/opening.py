"""Opens STS: a token of an identity provider is read, verified, and held against the role's trust policy."""

from __future__ import annotations

from local_aws.services.aws import Aws
from local_aws.services.sts import web_identity


def open_service(aws: Aws) -> None:
    web_identity.close_gap(aws)
