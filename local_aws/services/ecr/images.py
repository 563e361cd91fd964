"""Images as ECS and Lambda use them: found, or pulled with somebody's permissions, and made a command.

image = images.pull(aws, "127.0.0.1:8000/api@sha256:…", credentials, region)
command = images.command(aws, image, Wanted(name="task-1", command=["batch", "train"], environment={…}))
process = spawn(command.argv, env=command.env, cwd=command.cwd)
…
command.clean()
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from moto.ecr.models import ecr_backends

from local_aws.containers.command import Command, Wanted, command_of
from local_aws.containers.oci import INDEXES, Image, ImageError, of_this_architecture
from local_aws.containers.unpack import unpacked
from local_aws.home import REGION
from local_aws.iam.principals import ACCOUNT
from local_aws.services.aws import Aws
from local_aws.services.ecr.blobs import Blobs

# 127.0.0.1:PORT/name, whatever the port: a restart may have another one. Or as AWS writes it.
_REFERENCE = re.compile(
    r"(?P<host>(?:127\.0\.0\.1|localhost)(?::\d+)?|\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com)/"
    r"(?P<name>[a-z0-9][a-z0-9._/-]*)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[a-f0-9]{64}))?"
)


@dataclass(frozen=True)
class Reference:
    """An image in this ECR. Without tag and digest it is `latest`."""

    repository: str
    region: str
    tag: str | None = None
    digest: str | None = None

    @property
    def image_id(self) -> dict[str, str]:
        """As ECR's operations take it. A digest is what counts, if there is one."""
        return {"imageDigest": self.digest} if self.digest else {"imageTag": self.tag or "latest"}

    @property
    def arn(self) -> str:
        """The repository's."""
        return f"arn:aws:ecr:{self.region}:{ACCOUNT}:repository/{self.repository}"


def parse(text: str, region: str = REGION) -> Reference | None:
    """Return what an image's name says; None when it is not in this ECR."""
    found = _REFERENCE.fullmatch(text)
    return Reference(found["name"], found["region"] or region, found["tag"], found["digest"]) if found else None


def blobs(aws: Aws) -> Blobs:
    """The bytes of all images."""
    return Blobs(aws.home.path / "registry")


def find(aws: Aws, text: str, region: str = REGION) -> Image:
    """Return an image, without asking who wants it. ImageError when it is not there. Quick; takes the lock."""
    reference = _parsed(text, region)
    with aws.lock:
        repository = ecr_backends[ACCOUNT][reference.region].repositories.get(reference.repository)
        wanted = reference.image_id
        images: list[Any] = list(repository.images) if repository else []
        for image in images:
            if image.get_image_digest() == wanted.get("imageDigest") or wanted.get("imageTag") in image.image_tags:
                return _image(aws, json.loads(image.image_manifest), image.get_image_digest(), images)
    raise ImageError(f"{text}: not found")


def pull(aws: Aws, text: str, credentials: dict[str, str], region: str = REGION) -> Image:
    """Return an image, if who has these credentials may pull it. ImageError with the refusal. Do not hold the lock."""
    reference = _parsed(text, region)
    ecr = aws.client("ecr", credentials, reference.region)
    try:
        ecr.get_authorization_token()
        answer = ecr.batch_get_image(repositoryName=reference.repository, imageIds=[reference.image_id])
        if not answer["images"]:
            raise ImageError(f"{text}: not found")
        image = find(aws, text, region)
        layers = json.loads(answer["images"][0]["imageManifest"]).get("layers", [])
        for layer in layers[:1]:  # one permission for all of them
            ecr.get_download_url_for_layer(repositoryName=reference.repository, layerDigest=layer["digest"])
    except ClientError as error:
        raise ImageError(f"{error.response['Error']['Code']}: {error.response['Error']['Message']}") from error
    return image


def command(aws: Aws, image: Image, wanted: Wanted) -> Command:
    """Return how to run an image. Takes seconds when it is the first time. ImageError with the reason why not."""
    return command_of(image, wanted, aws.home.path)


def unpack(image: Image) -> None:
    """Lay an image out on this disk, if it is not. ImageError when it is broken."""
    unpacked(image)


def _parsed(text: str, region: str) -> Reference:
    reference = parse(text, region)
    if reference is None:
        raise ImageError(f"{text}: the embedded AWS does not know other registries than its own ECR")
    return reference


def _image(aws: Aws, manifest: dict[str, Any], digest: str, images: list[Any]) -> Image:
    if manifest.get("mediaType") in INDEXES or "manifests" in manifest:
        digest = of_this_architecture(manifest["manifests"])["digest"]
        found = next(image for image in images if image.get_image_digest() == digest)
        return _image(aws, json.loads(found.image_manifest), digest, images)
    store = blobs(aws)
    config = json.loads(store.path(manifest["config"]["digest"]).read_bytes())
    return Image(digest, config, tuple(store.path(layer["digest"]) for layer in manifest["layers"]))
