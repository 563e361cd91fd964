"""The registry itself: `/v2/`, the API by which docker, podman, buildah and skopeo push and pull.

https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md; which permission each request needs:
https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ecr.exceptions import ImageAlreadyExistsException, RepositoryNotFoundException
from moto.ecr.models import Image, Repository, ecr_backends

from local_aws.iam import decisions
from local_aws.iam.conditions import UnknownElement
from local_aws.iam.needs.ecr import repository_tags
from local_aws.iam.policies import Need
from local_aws.iam.principals import ACCOUNT, Principal
from local_aws.services.aws import Aws
from local_aws.services.ecr import gaps_of_moto as gaps
from local_aws.services.ecr import tokens
from local_aws.services.ecr.blobs import CHUNK, DIGEST, Blobs, WrongDigest, chunks_of

_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<what>blobs|manifests|tags|referrers)/(?P<rest>.+)")
_LARGEST_MANIFEST = 4 * 1024 * 1024  # bytes
_Headers = list[tuple[str, str]]


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: str, code: str, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, list(headers)


class Registry:
    """A WSGI application; see DATA_PLANES."""

    def __init__(self, aws: Aws, blobs: Blobs) -> None:
        self._aws = aws
        self._blobs = blobs

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            status, headers, body = _Request(self._aws, self._blobs, environ).answer()
        except Refused as error:
            status, headers = error.status, error.headers
            body = json.dumps({"errors": [{"code": error.code, "message": str(error)}]}).encode()
            headers.append(("Content-Type", "application/json; charset=utf-8"))
            # What the client still sends is read, or it would be taken for the next request on this connection.
            for _ in _body_of(environ):
                pass
        size = body.stat().st_size if isinstance(body, Path) else len(body)
        given = {name for name, _ in headers}
        if "Content-Length" not in given:
            headers.append(("Content-Length", str(size)))
        start_response(status, [*headers, ("Docker-Distribution-Api-Version", "registry/2.0")])
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        return _read(body) if isinstance(body, Path) else [body]


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _body_of(environ: dict[str, Any]) -> Iterable[bytes]:
    if environ.get("local_aws.body_read"):
        return ()
    environ["local_aws.body_read"] = True
    if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
        return chunks_of(environ["wsgi.input"])
    return chunks_of(environ["wsgi.input"], int(environ.get("CONTENT_LENGTH") or 0))


_Answer = tuple[str, _Headers, "bytes | Path"]


class _Request:
    """One request. Moto's state is read and changed under the lock; bytes of blobs move without it."""

    def __init__(self, aws: Aws, blobs: Blobs, environ: dict[str, Any]) -> None:
        self._lock = aws.lock
        self._blobs = blobs
        self._environ = environ
        self._realm = aws.endpoint
        self._method = str(environ["REQUEST_METHOD"])
        self._path = str(environ["PATH_INFO"])
        self._query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        self._caller = Principal("anonymous")
        self._region = ""

    def answer(self) -> _Answer:
        if self._path.startswith("/v2/_layers/"):
            return self._signed_download(self._path.rpartition("/")[2])
        with self._lock:
            try:
                self._caller, self._region = tokens.owner_of(self._environ.get("HTTP_AUTHORIZATION", ""))
            except tokens.NotAuthorized as error:
                asked = ("WWW-Authenticate", f'Basic realm="{self._realm}/",service="ecr.amazonaws.com"')
                raise Refused("401 Unauthorized", "UNAUTHORIZED", str(error), asked) from error
        if self._path in ("/v2", "/v2/"):
            return "200 OK", [("Content-Type", "application/json")], b"{}"
        found = _PATH.fullmatch(self._path)
        if found is None:
            raise Refused("404 Not Found", "UNSUPPORTED", f"The embedded AWS does not know {self._path}.")
        name, what, rest = found["name"], found["what"], found["rest"]
        if what == "blobs" and rest.startswith("uploads"):
            return self._upload(name, rest.removeprefix("uploads").strip("/"))
        if what == "blobs":
            return self._blob(name, rest)
        if what == "manifests":
            return self._manifest(name, rest)
        if what == "tags" and rest == "list" and self._method == "GET":
            return self._tags(name)
        raise Refused("404 Not Found", "UNSUPPORTED", f"The embedded AWS does not know {self._path}.")

    # Who may, on which repository. The lock is held.

    def _repository(self, name: str, *actions: str) -> Repository:
        """Return the repository, if the caller may do all of this with it."""
        arn = f"arn:aws:ecr:{self._region}:{ACCOUNT}:repository/{name}"
        tags = repository_tags(ACCOUNT, self._region, name)
        for action in actions:
            self._require(Need(f"ecr:{action}", arn, tags))
        try:
            return ecr_backends[ACCOUNT][self._region]._get_repository(name)
        except RepositoryNotFoundException as error:
            raise Refused("404 Not Found", "NAME_UNKNOWN", error.message) from error

    def _require(self, need: Need) -> None:
        caller = self._caller
        context = {**caller.context, **need.context, "aws:requestedregion": self._region, "aws:securetransport": "true"}
        try:
            decision = decisions.decide_and_note(Need(need.action, need.resource, context), caller)
        except UnknownElement as error:
            said = f"{error} is not known to the embedded AWS (see local_aws/iam)"
            raise Refused("403 Forbidden", "DENIED", said) from error
        if not decision.allowed:
            said = (
                f"User: {caller.arn} is not authorized to perform: {need.action} on resource: {need.resource} "
                f"{decision.why}"
            )
            raise Refused("403 Forbidden", "DENIED", said)

    # Layers and configurations.

    def _signed_download(self, secret: str) -> _Answer:
        with self._lock:
            for backend in list(ecr_backends[ACCOUNT].values()):
                digest = getattr(backend, "local_aws_urls", {}).get(secret)
                if digest:
                    return "200 OK", [("Content-Type", "application/octet-stream")], self._blobs.path(digest)
        raise Refused("403 Forbidden", "DENIED", "This URL is not one of GetDownloadUrlForLayer.")

    def _blob(self, name: str, digest: str) -> _Answer:
        if self._method not in ("GET", "HEAD"):
            raise Refused("405 Method Not Allowed", "UNSUPPORTED", "Layers go with the last image that has them.")
        action = "GetDownloadUrlForLayer" if self._method == "GET" else "BatchCheckLayerAvailability"
        with self._lock:
            there = digest in self._repository(name, action).layers
        if not there:
            raise Refused("404 Not Found", "BLOB_UNKNOWN", "blob unknown to registry")
        headers = [("Content-Type", "application/octet-stream"), ("Docker-Content-Digest", digest)]
        return "200 OK", headers, self._blobs.path(digest)

    def _upload(self, name: str, upload: str) -> _Answer:
        if self._method == "POST" and not upload:
            return self._begin_upload(name)
        if self._method not in ("PATCH", "PUT", "GET", "DELETE"):
            raise Refused("405 Method Not Allowed", "UNSUPPORTED", f"An upload takes no {self._method}.")
        finishing = self._method == "PUT"
        with self._lock:
            action = "CompleteLayerUpload" if finishing else "UploadLayerPart"
            repository = self._repository(name, action)
            if upload not in repository.uploads:
                raise Refused("404 Not Found", "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
            if self._method == "DELETE":
                del repository.uploads[upload]
        if self._method == "DELETE":
            self._blobs.abandon(upload)
            return "204 No Content", [], b""
        if self._method == "GET":
            return self._progress("204 No Content", name, upload, self._blobs.size(upload))
        self._require_place(upload)
        size = self._blobs.append(upload, _body_of(self._environ))
        if not finishing:
            return self._progress("202 Accepted", name, upload, size)
        return self._finish_upload(name, upload)

    def _begin_upload(self, name: str) -> _Answer:
        mount, source, digest = (self._query.get(part, "") for part in ("mount", "from", "digest"))
        with self._lock:
            repository = self._repository(name, "InitiateLayerUpload")
            if mount and source and self._mounted(repository, mount, source):
                return self._created(name, mount)
            upload = gaps.begin_upload(repository)
        if not digest:
            for _ in _body_of(self._environ):  # none is expected
                pass
            return self._progress("202 Accepted", name, upload, 0)
        with self._lock:
            self._repository(name, "UploadLayerPart", "CompleteLayerUpload")
        self._blobs.append(upload, _body_of(self._environ))
        return self._finish_upload(name, upload)

    def _mounted(self, repository: Repository, digest: str, source: str) -> bool:
        """Give a repository a layer of another one, without an upload, if the caller may read it there."""
        try:
            other = self._repository(source, "BatchCheckLayerAvailability", "GetDownloadUrlForLayer")
        except Refused:
            return False  # then the client uploads it
        if digest in other.layers:
            repository.layers[digest] = other.layers[digest]
        return digest in other.layers

    def _require_place(self, upload: str) -> None:
        """A chunk must begin where the last one ended."""
        given = self._environ.get("HTTP_CONTENT_RANGE", "")
        found = re.fullmatch(r"(?:bytes )?(\d+)-\d+(?:/.*)?", given)
        if given and (found is None or int(found[1]) != self._blobs.size(upload)):
            said = f"The upload has {self._blobs.size(upload)} bytes, and this part is {given}."
            raise Refused("416 Range Not Satisfiable", "BLOB_UPLOAD_INVALID", said)

    def _finish_upload(self, name: str, upload: str) -> _Answer:
        expected = self._query.get("digest", "")
        if not DIGEST.fullmatch(expected):
            raise Refused("400 Bad Request", "DIGEST_INVALID", f"'{expected}' is no sha256 digest.")
        try:
            digest, size = self._blobs.finish(upload, expected)
        except WrongDigest as error:
            with self._lock:
                self._repository(name).uploads.pop(upload, None)
            said = f"What was uploaded has the digest {error}, not {expected}."
            raise Refused("400 Bad Request", "DIGEST_INVALID", said) from error
        with self._lock:
            repository = self._repository(name)
            repository.uploads.pop(upload, None)
            repository.layers[digest] = size
        return self._created(name, digest)

    def _created(self, name: str, digest: str) -> _Answer:
        location = f"{self._realm}/v2/{name}/blobs/{digest}"
        return "201 Created", [("Location", location), ("Docker-Content-Digest", digest)], b""

    def _progress(self, status: str, name: str, upload: str, size: int) -> _Answer:
        headers = [
            ("Location", f"{self._realm}/v2/{name}/blobs/uploads/{upload}"),
            ("Range", f"0-{max(0, size - 1)}"),
            ("Docker-Upload-UUID", upload),
        ]
        return status, headers, b""

    # Images.

    def _manifest(self, name: str, reference: str) -> _Answer:
        if self._method in ("GET", "HEAD"):
            with self._lock:
                image = self._image(self._repository(name, "BatchGetImage"), reference)
                headers = [
                    ("Content-Type", str(image.image_manifest_media_type)),
                    ("Docker-Content-Digest", image.get_image_digest()),
                ]
                return "200 OK", headers, image.image_manifest.encode()
        if self._method == "PUT":
            return self._put_manifest(name, reference)
        if self._method == "DELETE":
            if not DIGEST.fullmatch(reference):
                raise Refused("405 Method Not Allowed", "UNSUPPORTED", "An image is deleted by its digest.")
            with self._lock:
                image = self._image(self._repository(name, "BatchDeleteImage"), reference)
                backend = ecr_backends[ACCOUNT][self._region]
                backend.batch_delete_image(name, None, [{"imageDigest": image.get_image_digest()}])
            return "202 Accepted", [], b""
        raise Refused("405 Method Not Allowed", "UNSUPPORTED", f"A manifest takes no {self._method}.")

    @staticmethod
    def _image(repository: Repository, reference: str) -> Image:
        for image in repository.images:
            if reference == image.get_image_digest() or reference in image.image_tags:
                return image
        raise Refused("404 Not Found", "MANIFEST_UNKNOWN", "Requested image not found")

    def _put_manifest(self, name: str, reference: str) -> _Answer:
        body = b"".join(_body_of(self._environ))
        digest = reference if DIGEST.fullmatch(reference) else None
        tag = None if digest else reference
        if len(body) > _LARGEST_MANIFEST:
            raise Refused("413 Content Too Large", "SIZE_INVALID", "A manifest has 4 MiB at most.")
        actual = gaps.digest_of(body)
        if digest and digest != actual:
            raise Refused("400 Bad Request", "DIGEST_INVALID", f"This manifest's digest is {actual}, not {digest}.")
        with self._lock:
            self._repository(name, "PutImage")
            backend = ecr_backends[ACCOUNT][self._region]
            kind = self._environ.get("CONTENT_TYPE") or None
            try:
                backend.put_image(name, body.decode(), tag, kind, digest)  # type: ignore[arg-type]
            except ImageAlreadyExistsException:
                pass  # the same again
            except gaps.ImageTagAlreadyExists as error:
                raise Refused("400 Bad Request", "TAG_INVALID", error.message) from error
            except (gaps.LayersNotFound, gaps.ReferencedImagesNotFound) as error:
                raise Refused("400 Bad Request", "MANIFEST_BLOB_UNKNOWN", error.message) from error
            except (ServiceException, UnicodeDecodeError, KeyError) as error:
                raise Refused("400 Bad Request", "MANIFEST_INVALID", str(error)) from error
        headers = [("Location", f"{self._realm}/v2/{name}/manifests/{actual}"), ("Docker-Content-Digest", actual)]
        return "201 Created", headers, b""

    def _tags(self, name: str) -> _Answer:
        with self._lock:
            tags = sorted(tag for image in self._repository(name, "ListImages").images for tag in image.image_tags)
        if "last" in self._query:
            tags = [tag for tag in tags if tag > self._query["last"]]
        headers = [("Content-Type", "application/json")]
        number = self._query.get("n", "")
        if number.isdigit() and int(number) < len(tags):
            tags = tags[: int(number)]
            if tags:
                rest = urllib.parse.urlencode({"n": number, "last": tags[-1]})
                headers.append(("Link", f'</v2/{name}/tags/list?{rest}>; rel="next"'))
        return "200 OK", headers, json.dumps({"name": name, "tags": tags}).encode()
