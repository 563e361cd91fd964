"""Opens Step Functions."""

from __future__ import annotations

from local_aws.services.aws import Aws


def open_service(aws: Aws) -> None:
    """See local_aws.services."""
    from moto.core.config import default_user_config

    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    from local_aws.services.stepfunctions import (
        definitions,
        execution_requests,
        executions,
        executor,
        integrations,
        machines,
        paths,
        redriving,
        timestamps,
    )

    executor.install()
    paths.install()
    redriving.install()
    integrations.install(aws)
    executions.install(aws)
    execution_requests.install()
    definitions.install()
    machines.install(aws)
    timestamps.install()


def resume(aws: Aws) -> None:
    """See local_aws.services."""
    from local_aws.services.stepfunctions import executions

    executions.resume_all(aws)
