"""Lambda opens with the first request to it."""

from __future__ import annotations

import os
import threading

from local_aws.iam import decisions
from local_aws.services.aws import Aws
from local_aws.services.awslambda import gaps, images, invoke_config, policies
from local_aws.services.awslambda.asynchronous import Queue
from local_aws.services.awslambda.invocations import Invocations
from local_aws.services.awslambda.pools import Pools

invocations: Invocations  # set when Lambda is opened: for services that invoke functions (invoke_as_service)


def open_service(aws: Aws) -> None:
    """See local_aws.services."""
    global invocations
    pools = Pools(aws)
    invocations = Invocations(pools)
    invocations.queue = Queue(invocations)
    os.environ["MOTO_LAMBDA_CONCURRENCY_QUOTA"] = str(
        pools.limit
    )  # moto knows the rule of the 100 that stay unreserved

    def deleted(unqualified: str) -> None:
        threading.Thread(target=pools.end_function, args=[unqualified], daemon=True).start()

    policies.close_gap()
    invoke_config.close_gap()
    gaps.close_gaps(images.resolver(aws), deleted)
    gaps.invoke_without_docker(invocations)
    decisions.resource_policies["lambda"] = policies.document
    aws.outside["lambda", "Invoke"] = invocations.answer
    aws.at_reset(pools.end_all)
    aws.at_stop(pools.stop)
    aws.describe_by("functions", pools.describe)


def resume(aws: Aws) -> None:
    """After a crash of the daemon: events that were accepted are tried again."""
    assert invocations.queue is not None
    invocations.queue.resume()
