"""What moto 5.2.5 lacks of ECR's API; see README.md."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ecr import models
from moto.ecr.exceptions import (
    ImageAlreadyExistsException,
    InvalidLayerPartException,
    InvalidParameterException,
    UploadNotFoundException,
)
from moto.ecr.models import ECRBackend, Image, Repository, ecr_backends
from moto.ecr.responses import ECRResponse

from local_aws.clock import CLOCK
from local_aws.services.aws import Aws
from local_aws.services.ecr.blobs import Blobs, WrongDigest
from local_aws.services.events.emit import emit


class ImageTagAlreadyExists(ServiceException):
    code = "ImageTagAlreadyExistsException"

    def __init__(self, repository: Repository, tag: str) -> None:
        super().__init__(
            f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot be overwritten "
            "because the tag is immutable."
        )


class ImageDigestDoesNotMatch(ServiceException):
    code = "ImageDigestDoesNotMatchException"


class LayersNotFound(ServiceException):
    code = "LayersNotFoundException"

    def __init__(self, repository: Repository, digests: Iterable[str]) -> None:
        super().__init__(
            f"Layers with digests '[{', '.join(digests)}]' required for pushing image into repository with name "
            f"'{repository.name}' in the registry with id '{repository.registry_id}' do not exist"
        )


class ReferencedImagesNotFound(ServiceException):
    code = "ReferencedImagesNotFoundException"


class InvalidLayer(ServiceException):
    code = "InvalidLayerException"


class LayerInaccessible(ServiceException):
    code = "LayerInaccessibleException"


def close_gaps(aws: Aws, blobs: Blobs) -> None:
    """Patch moto. Call once."""
    _uris(aws.endpoint)
    _digests()
    _put_image(aws)
    _layers(blobs)
    _download_urls(aws.endpoint)
    _deletions(aws, blobs)


def _uris(endpoint: str) -> None:
    """A repository is at its registry, which is here and not at amazonaws.com."""
    host = urlsplit(endpoint).netloc

    def uri(self: Repository) -> str:
        return f"{host}/{self.name}"

    # moto assigns it when it makes a repository.
    Repository.uri = property(uri, lambda self, value: None)  # type: ignore[assignment]


def digest_of(manifest: str | bytes) -> str:
    """Return the digest of a manifest, as it was sent."""
    data = manifest.encode() if isinstance(manifest, str) else manifest
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layers_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return descriptors of all blobs that a manifest names: configuration and layers."""
    return [part for part in (manifest.get("config"), *manifest.get("layers", [])) if part]


def _digests() -> None:
    """moto makes a digest of the layers' digests, or a random one, and takes the configuration's size for the image's.

    An image's digest is that of its manifest; `imageSizeInBytes` is that of its layers.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html
    """

    def create_digest(self: Image) -> None:
        self._image_digest = digest_of(self.image_manifest)

    def size(self: Image) -> int | None:
        layers = json.loads(self.image_manifest).get("layers")
        return None if layers is None else sum(int(layer.get("size", 0)) for layer in layers)

    Image._create_digest = create_digest  # type: ignore[method-assign]
    Image.get_image_size_in_bytes = size  # type: ignore[method-assign]


def _put_image(aws: Aws) -> None:
    """moto takes manifests of missing layers, names the wrong error, and deletes an image whose tag moves on.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
    """

    def put_image(
        self: ECRBackend,
        repository_name: str,
        image_manifest: str,
        image_tag: str,
        image_manifest_mediatype: str | None = None,
        digest: str | None = None,
    ) -> Image:
        repository = self._get_repository(repository_name)
        actual = digest_of(image_manifest)
        if digest and digest != actual:
            raise ImageDigestDoesNotMatch(
                f"The provided digest '{digest}' does not match the digest of the image manifest: '{actual}'"
            )
        try:
            manifest = json.loads(image_manifest)
        except ValueError:
            manifest = None
        media_type = image_manifest_mediatype or (manifest or {}).get("mediaType")
        if not isinstance(manifest, dict) or not media_type:
            said = "Invalid parameter at 'imageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
            raise InvalidParameterException(said)
        _require_parts(repository, manifest)
        image = next((image for image in repository.images if image.image_manifest == image_manifest), None)
        if image is not None and (not image_tag or image_tag in image.image_tags):
            raise ImageAlreadyExistsException(
                repository.name, registry_id=str(repository.registry_id), digest=actual, image_tag=image_tag
            )
        try:
            earlier = self._resolve_image_tag_mutability(repository, image_tag) if image_tag else []
        except ImageAlreadyExistsException as error:
            raise ImageTagAlreadyExists(repository, image_tag) from error
        for other in earlier:
            other.remove_tag(image_tag)
            other.image_tag = other.image_tags[-1] if other.image_tags else None  # type: ignore[assignment]
        if image is None:
            image = Image(self.account_id, image_tag, image_manifest, repository_name, media_type, actual)
            image.image_pushed_at = int(CLOCK.now())
            repository.images.append(image)
        elif image_tag:
            image.update_tag(image_tag)
        _tell(aws, repository, "PUSH", image, image_tag)
        return image

    ECRBackend.put_image = put_image  # type: ignore[method-assign]


def _require_parts(repository: Repository, manifest: dict[str, Any]) -> None:
    missing = [one["digest"] for one in layers_of(manifest) if one["digest"] not in repository.layers]
    if missing:
        raise LayersNotFound(repository, missing)
    there = {image.get_image_digest() for image in repository.images}
    absent = [one["digest"] for one in manifest.get("manifests", []) if one["digest"] not in there]
    if absent:
        raise ReferencedImagesNotFound(
            f"Images with digests '[{', '.join(absent)}]' required for pushing image into repository with name "
            f"'{repository.name}' in the registry with id '{repository.registry_id}' do not exist"
        )


def _tell(aws: Aws, repository: Repository, action: str, image: Image, tag: str) -> None:
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html"""
    detail = {
        "result": "SUCCESS",
        "repository-name": repository.name,
        "image-digest": image.get_image_digest(),
        "action-type": action,
        **({"image-tag": tag} if tag else {}),
    }
    emit(aws, "aws.ecr", "ECR Image Action", detail, [], repository.region_name)


def begin_upload(repository: Repository) -> str:
    """Return the id of a new upload. Hold the lock."""
    upload = models.LayerUpload(repository.name, str(repository.registry_id))
    upload.upload_id = str(uuid.uuid4())
    repository.uploads[upload.upload_id] = upload
    return upload.upload_id


def _layers(blobs: Blobs) -> None:
    """moto keeps layers in memory, and does not compare their digests with the announced ones."""

    def upload_layer_part(
        self: ECRBackend,
        repository_name: str,
        upload_id: str,
        part_first_byte: int,
        part_last_byte: int,
        layer_part_blob: bytes,
        registry_id: str | None = None,
    ) -> dict[str, Any]:
        repository = self._get_repository(repository_name, registry_id)
        _require_upload(repository, upload_id)
        has = blobs.size(upload_id)
        if part_first_byte != has:
            raise InvalidLayerPartException(str(repository.registry_id), repository_name, upload_id, has - 1)
        received = blobs.append(upload_id, [layer_part_blob or b""])
        return {
            "registryId": repository.registry_id,
            "repositoryName": repository_name,
            "uploadId": upload_id,
            "lastByteReceived": received - 1,
        }

    def complete_layer_upload(
        self: ECRBackend,
        repository_name: str,
        upload_id: str,
        layer_digests: list[str],
        registry_id: str | None = None,
    ) -> dict[str, Any]:
        repository = self._get_repository(repository_name, registry_id)
        _require_upload(repository, upload_id)
        del repository.uploads[upload_id]
        try:
            digest, size = blobs.finish(upload_id, layer_digests[0])
        except WrongDigest as error:
            raise InvalidLayer(
                f"Layer digest '{layer_digests[0]}' does not match the digest '{error}' of what was uploaded"
            ) from error
        repository.layers[digest] = size
        return {
            "registryId": repository.registry_id,
            "repositoryName": repository_name,
            "uploadId": upload_id,
            "layerDigest": digest,
        }

    ECRBackend.upload_layer_part = upload_layer_part  # type: ignore[method-assign]
    ECRBackend.complete_layer_upload = complete_layer_upload  # type: ignore[method-assign]


def _require_upload(repository: Repository, upload_id: str) -> None:
    if upload_id not in repository.uploads:
        raise UploadNotFoundException(upload_id, repository.name, str(repository.registry_id))


def _download_urls(endpoint: str) -> None:
    """moto lacks GetDownloadUrlForLayer. As with AWS's signed URL, what is in it is right enough."""

    def get_download_url_for_layer(self: ECRResponse) -> ActionResult:
        repository = self.ecr_backend._get_repository(self._get_param("repositoryName"), self._get_param("registryId"))
        digest = self._get_param("layerDigest")
        if digest not in repository.layers:
            raise LayerInaccessible(f"Layer '{digest}' is not accessible in the repository '{repository.name}'")
        urls = getattr(self.ecr_backend, "local_aws_urls", {})
        secret = next((secret for secret, one in urls.items() if one == digest), None) or uuid.uuid4().hex
        self.ecr_backend.local_aws_urls = {**urls, secret: digest}  # type: ignore[attr-defined]
        return ActionResult({"layerDigest": digest, "downloadUrl": f"{endpoint}/v2/_layers/{secret}"})

    ECRResponse.get_download_url_for_layer = get_download_url_for_layer  # type: ignore[assignment,method-assign]


def _deletions(aws: Aws, blobs: Blobs) -> None:
    """The layers of an image go with the last image that has them."""
    delete_images, delete_repository = ECRBackend.batch_delete_image, ECRBackend.delete_repository

    def batch_delete_image(
        self: ECRBackend, repository_name: str, registry_id: str | None = None, image_ids: Any = None
    ) -> dict[str, Any]:
        repository = self._get_repository(repository_name, registry_id)
        before = list(repository.images)
        answer = delete_images(self, repository_name, registry_id, image_ids)
        gone = [image for image in before if image not in repository.images]
        _drop(repository, gone)
        for image in gone:
            _tell(aws, repository, "DELETE", image, "")
        return answer

    def delete_with_layers(
        self: ECRBackend, repository_name: str, registry_id: str | None = None, force: bool = False
    ) -> Repository:
        repository = delete_repository(self, repository_name, registry_id, force)
        _forget(repository.layers)
        return repository

    def _drop(repository: Repository, deleted: list[Image]) -> None:
        def named(images: list[Image]) -> set[str]:
            return {part["digest"] for image in images for part in layers_of(json.loads(image.image_manifest))}

        gone = named(deleted) - named(repository.images)
        for digest in gone:
            repository.layers.pop(digest, None)
        _forget(gone)

    def _forget(digests: Iterable[str]) -> None:
        for digest in digests:
            if not any(
                digest in repository.layers
                for account in list(ecr_backends.values())
                for backend in list(account.values())
                for repository in backend.repositories.values()
            ):
                blobs.delete(digest)

    ECRBackend.batch_delete_image = batch_delete_image  # type: ignore[method-assign]
    ECRBackend.delete_repository = delete_with_layers  # type: ignore[method-assign]
