"""Access logs and metrics.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

from local_aws.iam.service_roles import NotAssumable
from local_aws.services.aws import Aws
from local_aws.services.batches import Batches
from local_aws.services.cloudwatch.publishing import Metrics
from local_aws.services.logs.writing import write
from local_aws.services.role_clients import session_in_role

log = logging.getLogger("local_aws.apigateway")

PRINCIPAL = "apigateway.amazonaws.com"


@dataclass(frozen=True)
class AccessLog:
    """Where the lines of a stage go, and the account's role that writes them."""

    region: str
    group: str
    stage: str  # API and stage
    role: str

    @property
    def stream(self) -> str:
        return hashlib.md5(self.stage.encode(), usedforsecurity=False).hexdigest()


class Records:
    """Thread-safe."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._metrics = Metrics(aws, "AWS/ApiGateway")
        self._lines: Batches[AccessLog, tuple[float, str]] = Batches(aws, "access logs of APIs", self._write)

    def measured(self, region: str, api_name: str, stage: str, values: dict[str, float]) -> None:
        """Add the metrics of one request."""
        self._metrics.add(region, {"ApiName": api_name, "Stage": stage}, values)

    def line(self, where: AccessLog, text: str) -> None:
        """Add the line of one request."""
        self._lines.add(where, [(self._aws.clock.now(), text)])

    def _write(self, where: AccessLog, lines: list[tuple[float, str]]) -> None:
        try:
            name = "BackplaneAssumeRoleSession"
            credentials = session_in_role(self._aws, where.role, principal=PRINCIPAL, session_name=name)
        except NotAssumable as error:
            log.warning("the access log in %s is lost: %s", where.group, error)
            return
        write(self._aws, where.group, where.stream, lines, credentials, make_group=False, region=where.region)
