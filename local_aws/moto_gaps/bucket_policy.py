"""moto leaves bucket policies alone: local_aws.iam has decided before a request comes here.

moto's own evaluation denies as soon as a matching statement has any Condition that it does not understand, so that the
usual TLS-only policy (Deny s3:* if aws:SecureTransport is false) makes each object call 403.
"""

from __future__ import annotations

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket


def close_gap() -> None:
    def get_permission(self: FakeBucket, action: str, resource: str) -> Any:
        return PermissionResult.PERMITTED

    FakeBucket.get_permission = get_permission
