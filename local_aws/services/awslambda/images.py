"""Functions from images. What an image is on this computer is decided in local_aws/containers.

https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException
from moto.ecr.models import ecr_backends

from local_aws.containers.command import Command, Wanted
from local_aws.containers.oci import ImageError
from local_aws.iam.policies import Need
from local_aws.iam.principals import ACCOUNT
from local_aws.iam.service_roles import service_may
from local_aws.services.aws import Aws
from local_aws.services.awslambda.files import NotStartable
from local_aws.services.awslambda.functions import Function
from local_aws.services.awslambda.roles import PRINCIPAL

ACTIONS = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_SID = "LambdaECRImageRetrievalPolicy"


def command_of(aws: Aws, function: Function, own: Path, given: dict[str, str]) -> Command:
    """Return the command of an environment. NotStartable with the reason why there is none. Seconds, the first time."""
    from local_aws.services.ecr import images

    entry_point, command, folder = function.image_config
    try:
        image = images.find(aws, function.image, function.region)
    except ImageError as error:
        raise NotStartable(f"The image {function.image} is gone: {error}") from error
    # A real container has a /tmp of its own.
    own_folder = {} if image.level == "container" else {"TMPDIR": str(own)}
    wanted = Wanted(
        name=f"lambda-{own.name}",
        entrypoint=list(entry_point) or None,
        command=list(command) or None,
        environment={**own_folder, "TZ": ":UTC", **dict(function.variables), **given},
        working_directory=folder or None,
        memory_bytes=function.memory * 1024**2,
    )
    try:
        return images.command(aws, image, wanted)
    except ImageError as error:
        raise NotStartable(f"The image {function.image} does not run: {error}") from error


def resolver(aws: Aws) -> Callable[[str, str], tuple[str, int]]:
    """Return what finds digest and size of an image by its URI; a function keeps the digest when the tag moves."""

    def resolve(uri: str, region: str) -> tuple[str, int]:
        from local_aws.services.ecr.images import parse

        aws.open("ecr")
        reference = parse(uri, region)
        if reference is None or reference.region != region:
            raise InvalidParameterValueException(f"Source image {uri} is not valid. Provide a valid source image.")
        repository = ecr_backends[ACCOUNT][region].repositories.get(reference.repository)
        wanted = reference.image_id
        for image in repository.images if repository else ():
            if image.get_image_digest() == wanted.get("imageDigest") or wanted.get("imageTag") in image.image_tags:
                _let_lambda_in(repository, reference.arn)
                return image.get_image_digest(), int(image.image_size_in_bytes or 0)
        raise InvalidParameterValueException(f"Source image {uri} does not exist. Provide a valid source image.")

    return resolve


def lets_lambda_in(arn: str, policy: str | None) -> bool:
    """Whether a repository's policy lets Lambda pull."""
    source = f"arn:aws:lambda:{arn.split(':')[3]}:{ACCOUNT}:function:any"
    return all(service_may(PRINCIPAL, Need(action, arn), policy, source_arn=source).allowed for action in ACTIONS)


def _let_lambda_in(repository: Any, arn: str) -> None:
    """Lambda adds the statement itself, with its caller's permissions (iam/needs/lambda_.py).

    https://docs.aws.amazon.com/lambda/latest/dg/images-create.html#gettingstarted-images-permissions
    """
    if lets_lambda_in(arn, repository.policy):
        return
    policy = json.loads(repository.policy) if repository.policy else {"Version": "2008-10-17", "Statement": []}
    source = f"arn:aws:lambda:{arn.split(':')[3]}:{ACCOUNT}:function:*"
    policy["Statement"].append(
        {
            "Sid": _SID,
            "Effect": "Allow",
            "Principal": {"Service": PRINCIPAL},
            "Action": list(ACTIONS),
            "Condition": {"StringLike": {"aws:sourceArn": source}},
        }
    )
    repository.policy = json.dumps(policy)
