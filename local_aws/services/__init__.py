"""AWS's services beside EC2 and S3: what moto only remembers happens here. One folder for one service of moto.

A folder has README.md (what it does, what it leaves out, which gaps of moto it closes) and `opening.py` with `open_service(aws)`, called
once, with the lock held, when the service's first request arrives: whoever uses none of them pays for none of them.
A service without a folder is moto's as it is. `resume(aws)`, where there is one, is called when the daemon starts after a crash, with moto's
state restored (persistence.py) and requests answered, without the lock.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_aws.calls import Call, botocore_name
from local_aws.services.aws import Aws

log = logging.getLogger("local_aws.services")

# Paths that are no AWS API, and the service that answers them.
DATA_PLANES = {"/v2": "ecr", "/_aws/ecs": "ecs", "/_aws/execute-api": "apigateway", "/_aws/sns": "sns"}

# Where moto's name of a service is not botocore's.
_MOTOS_NAMES = {"lambda": "awslambda"}


class Services:
    """Opens services when they are first needed."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._opened: set[str] = set()
        aws.open = self.open

    def open(self, service: str) -> None:
        """Open a service by moto's name of it, unless it is open. The caller holds the lock."""
        if service in self._opened:
            return
        if _has_folder(service):
            importlib.import_module(f"local_aws.services.{service}.opening").open_service(self._aws)
            log.info("opened %s", service)
        self._opened.add(service)  # not before: open_for looks without the lock

    def open_for(self, call: Call) -> None:
        """Open the service of a call before it is known whether moto answers it. The caller does not hold the lock."""
        name = botocore_name(call.service)
        service = _MOTOS_NAMES.get(name, name)
        if service not in self._opened and _has_folder(service):
            with self._aws.lock:
                self.open(service)

    def resume(self, services: list[str]) -> None:
        """After a crash, when requests are answered again: let services go on from the state that came back."""
        for service in services:
            if _has_folder(service):
                opening = importlib.import_module(f"local_aws.services.{service}.opening")
                if hasattr(opening, "resume"):
                    opening.resume(self._aws)

    def opened(self) -> list[str]:
        """The services that are open."""
        return sorted(self._opened)


@functools.cache
def _has_folder(service: str) -> bool:
    return service.isidentifier() and (Path(__file__).parent / service / "opening.py").is_file()


class DataPlanes:
    """Stands before the whole AWS: requests for an image's layers or an API's resources are no calls of AWS's API."""

    def __init__(self, application: Any, services: Services, aws: Aws) -> None:
        self._application = application
        self._services = services
        self._aws = aws

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ.get("PATH_INFO", "")
        for prefix, service in DATA_PLANES.items():
            # A signed request below /v2 is API Gateway's other API; one to a deployed API is none of AWS's.
            signed = prefix == "/v2" and "HTTP_X_AMZ_DATE" in environ
            if (path == prefix or path.startswith(f"{prefix}/")) and not signed:
                if prefix not in self._aws.planes:
                    with self._aws.lock:
                        self._services.open(service)
                plane: Callable[..., Any] | None = self._aws.planes.get(prefix)
                if plane is not None:
                    return plane(environ, start_response)
        return self._application(environ, start_response)
