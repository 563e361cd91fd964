"""Functions from images. What an image is on this computer is ECR's business (services/ecr)."""

from __future__ import annotations

from pathlib import Path

from moto.awslambda.exceptions import InvalidParameterValueException

from local_aws.services.aws import Aws
from local_aws.services.awslambda.files import NotStartable, Start
from local_aws.services.awslambda.functions import Function


def start(aws: Aws, function: Function, own: Path) -> Start:
    """Return how an environment of an image is started."""
    raise NotStartable("The embedded AWS does not run images yet.")


def resolve(uri: str, region: str) -> tuple[str, int]:
    """Return the digest and the size of what `uri` names now; a function keeps it when the tag moves. Hold the lock."""
    raise InvalidParameterValueException(f"Source image {uri} does not exist. Provide a valid source image.")
