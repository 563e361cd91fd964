"""Sessions of one task's roles: the execution role for ECS itself, the task role for the containers."""

from __future__ import annotations

import threading
from datetime import datetime

from local_aws.iam.service_roles import NotAssumable, credentials_for
from local_aws.services.aws import Aws
from local_aws.services.ecs.errors import TaskFailed

PRINCIPAL = "ecs-tasks.amazonaws.com"
SECONDS = 6 * 3600  # that a session lasts, as on Fargate
EARLY = 15 * 60  # seconds before its end when there is a new one


class Session:
    """The session of a role in the name of a task, made again before it ends by AWS's clock."""

    def __init__(self, aws: Aws, role: str, task_arn: str) -> None:
        self._aws = aws
        self.role = role
        self._task_arn = task_arn
        self._given: dict[str, str] = {}
        self._lock = threading.Lock()

    def credentials(self) -> dict[str, str]:
        """Return its keys. TaskFailed when ECS may not take the role (any more). Not with AWS's lock held."""
        with self._lock:
            if not self._given or self._ends() - self._aws.clock.now() < EARLY:
                self._given = self._new()
            return self._given

    def _ends(self) -> float:
        return datetime.fromisoformat(self._given["Expiration"].replace("Z", "+00:00")).timestamp()

    def _new(self) -> dict[str, str]:
        name = self._task_arn.rpartition("/")[2]
        try:
            with self._aws.lock:
                return credentials_for(self.role, PRINCIPAL, name, source_arn=self._task_arn, seconds=SECONDS)
        except NotAssumable as error:
            raise TaskFailed(
                f"ECS was unable to assume the role '{self.role}' that was provided for this task. Please verify that the "
                "role being passed has the proper trust relationship and permissions and that your IAM user has "
                "permissions to pass this role."
            ) from error
