"""A client of the registry that says exactly what it is told to, for tests of single requests."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import urllib3

from local_aws.testing import EmbeddedAws

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class RegistryClient:
    """Requests as `credentials`' user, or as the root."""

    def __init__(self, aws: EmbeddedAws, credentials: dict[str, str] | None = None) -> None:
        given = aws.client("ecr", credentials=credentials).get_authorization_token()["authorizationData"][0]
        self.password = base64.b64decode(given["authorizationToken"]).decode().partition(":")[2]
        self._headers = {"Authorization": f"Basic {given['authorizationToken']}"}
        self._endpoint = aws.endpoint
        self._pool = urllib3.PoolManager(retries=False)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        url = path if path.startswith("http") else f"{self._endpoint}/v2/{path}"
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._pool.request(method, url, body=body, headers={**self._headers, **given}, redirect=False)

    def push_blob(self, repository: str, data: bytes) -> str:
        begun = self.ask("POST", f"{repository}/blobs/uploads/")
        assert begun.status == 202, begun.data
        done = self.ask("PUT", f"{begun.headers['Location']}?digest={digest_of(data)}", data)
        assert done.status == 201, done.data
        return digest_of(data)

    def manifest(self, repository: str, layer: bytes = b"layer", config: bytes = b'{"os": "linux"}') -> bytes:
        """Push layer and configuration; return the manifest of them."""
        parts = [{"digest": self.push_blob(repository, data), "size": len(data)} for data in (config, layer)]
        return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": parts[1:]}).encode()

    def push(self, repository: str, reference: str, manifest: bytes) -> Any:
        return self.ask("PUT", f"{repository}/manifests/{reference}", manifest, Content_Type=MANIFEST)


def code_of(answer: Any) -> tuple[int, str]:
    """The status and the code of an error."""
    return answer.status, json.loads(answer.data)["errors"][0]["code"]
