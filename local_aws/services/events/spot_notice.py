"""`python -m local_aws spot-notice` is an event, too.

POST /_local_aws/spot-notice   {"instance": id, "action": terminate | stop | hibernate}
                               {"instance": a task's id or ARN}

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from moto.ec2.models import ec2_backends

from local_aws.application import read_body
from local_aws.control import SPOT_NOTICE_PATH
from local_aws.services.aws import Aws
from local_aws.services.events.emit import emit


class SpotNoticeApplication:
    """Answers SPOT_NOTICE_PATH."""

    def __init__(self, application: Any, aws: Aws) -> None:
        self.application = application
        self._aws = aws

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != SPOT_NOTICE_PATH:
            return self.application(environ, start_response)  # type: ignore[no-any-return]
        read_body(environ)
        given = json.loads(environ["wsgi.input"].getvalue())
        refused = ""
        if given["instance"].startswith("i-"):
            self._announce(given["instance"], given["action"])
        else:
            from local_aws.services.ecs.interruption import interrupt  # whoever has tasks has opened ECS

            refused = interrupt(given["instance"])
        body = json.dumps({"error": refused} if refused else {}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _announce(self, instance_id: str, action: str) -> None:
        detail = {"instance-id": instance_id, "instance-action": action}
        for backends in list(ec2_backends.values()):
            for region, backend in list(backends.items()):
                for instance in [one for one in backend.all_instances() if one.id == instance_id]:
                    arn = f"arn:aws:ec2:{instance.availability_zone}:instance/{instance_id}"
                    emit(self._aws, "aws.ec2", "EC2 Spot Instance Interruption Warning", detail, [arn], region)
