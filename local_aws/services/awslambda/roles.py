"""Sessions of the functions' roles, for what Lambda itself does in their name: logs, destinations, dead letters."""

from __future__ import annotations

import threading
from datetime import datetime

from local_aws.iam.service_roles import NotAssumable, credentials_for
from local_aws.services.aws import Aws

PRINCIPAL = "lambda.amazonaws.com"
SECONDS = 12 * 3600  # that a session lasts
EARLY = 1800  # seconds before its end when a new one is made: no invocation runs longer than 15 minutes


class Roles:
    """One session a role, made again before it ends by AWS's clock."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._sessions: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def credentials(self, role: str, function_arn: str) -> dict[str, str] | None:
        """Return keys of the role, None when Lambda may not take it (any more)."""
        with self._lock:
            session = self._sessions.get(role)
        if session is None or self.ends_soon(session):
            try:
                session = self.new(role, function_arn)
            except NotAssumable:
                return None
            with self._lock:
                self._sessions[role] = session
        return session

    def new(self, role: str, function_arn: str) -> dict[str, str]:
        """Return keys of a session of its own. NotAssumable when Lambda may not take the role."""
        with self._aws.lock:
            name = function_arn.split(":function:")[-1].partition(":")[0]
            return credentials_for(role, PRINCIPAL, name, source_arn=function_arn, seconds=SECONDS)

    def ends_soon(self, session: dict[str, str]) -> bool:
        """Whether the session ends before an invocation that starts now would."""
        end = datetime.fromisoformat(session["Expiration"].replace("Z", "+00:00"))
        return end.timestamp() - self._aws.clock.now() < EARLY

    def forget(self) -> None:
        """The account is emptied."""
        with self._lock:
            self._sessions.clear()
