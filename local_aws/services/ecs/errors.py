"""What ECS says: refusals of requests, and reasons for which tasks stop."""

from __future__ import annotations

from moto.ecs.exceptions import EcsClientException, ECSException, InvalidParameterException

__all__ = ["AmazonECSException", "Conflict", "EcsClientException", "InvalidParameterException", "TaskFailed", "unknown"]


class Conflict(ECSException):
    """A client token that was used for another request."""

    code = "ConflictException"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class AmazonECSException(ECSException):
    """No capacity. AWS documents the message, and what Step Functions calls it: ECS.AmazonECSException.

    https://repost.aws/knowledge-center/ecs-fargate-runtask-capacity
    """

    code = "AmazonECSException"

    def __init__(self, message: str) -> None:
        super().__init__(message)


def unknown(what: str) -> InvalidParameterException:
    """An error for what AWS has and the embedded AWS has not."""
    return InvalidParameterException(f"The embedded AWS does not know {what}.")


class TaskFailed(Exception):
    """A task that does not start; the text is its stoppedReason. `container` is the one that it is about, if any.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
    """

    def __init__(self, reason: str, container: str = "") -> None:
        super().__init__(reason)
        self.container = container
