"""`login` and `push` of images that the builder `process` made: a small client of registries.

Credentials are where docker has them (config.json in DOCKER_CONFIG or ~/.docker): either finds what the other was told.
"""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from local_aws.containers.oci import MANIFEST, ImageError
from local_aws.containers.store import Stored
from local_aws.home import write_atomically


def config_file() -> Path:
    """Where docker, podman and buildah read credentials."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def login(registry: str, name: str, password: str) -> None:
    """Remember credentials for a registry, once it has taken them. ImageError when it does not."""
    host = _host(registry)
    auth = base64.b64encode(f"{name}:{password}".encode()).decode()
    _Registry(host, auth).ask("GET", "")
    path = config_file()
    config = json.loads(path.read_text()) if path.exists() else {}
    config.setdefault("auths", {})[host] = {"auth": auth}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(path, json.dumps(config, indent=2))
    path.chmod(0o600)


def push(image: Stored, reference: str) -> None:
    """Push an image as `reference`, HOST/NAME:TAG. What the registry has is not sent. ImageError with its refusal."""
    host, _, rest = reference.partition("/")
    name, _, tag = rest.partition(":")
    path = config_file()
    auths = json.loads(path.read_text()).get("auths", {}) if path.exists() else {}
    if host not in auths:
        raise ImageError(f"no credentials for {host}: log in first (aws ecr get-login-password | … login {host})")
    registry = _Registry(host, auths[host]["auth"])
    for digest, file in image.blobs:
        if registry.ask("HEAD", f"{name}/blobs/{digest}", missing=True) is None:
            begun = registry.ask("POST", f"{name}/blobs/uploads/")
            place = begun.headers["Location"]
            joined = f"{place}{'&' if '?' in place else '?'}digest={urllib.parse.quote(digest)}"
            with file.open("rb") as body:
                registry.ask("PUT", joined, body, {"Content-Length": str(file.stat().st_size)})
    registry.ask("PUT", f"{name}/manifests/{tag or 'latest'}", image.manifest, {"Content-Type": MANIFEST})


class _Registry:
    def __init__(self, host: str, auth: str) -> None:
        # Docker's own rule: a registry on the loopback is asked without TLS.
        scheme = "http" if host.partition(":")[0] in ("127.0.0.1", "localhost") else "https"
        self._base = f"{scheme}://{host}"
        self._auth = auth
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, *, missing: bool = False
    ) -> Any:
        """Return the answer; None for 404 where `missing` may be. ImageError in the registry's words."""
        url = urllib.parse.urljoin(self._base, path if path.startswith(("http", "/")) else f"/v2/{path}")
        given = {"Authorization": f"Basic {self._auth}", "Content-Type": "application/octet-stream", **(headers or {})}
        request = urllib.request.Request(url, data=body, headers=given, method=method)
        try:
            with self._opener.open(request, timeout=600) as answer:
                return answer
        except urllib.error.HTTPError as error:
            if error.code == 404 and missing:
                return None
            raise ImageError(_sentence(error)) from error
        except OSError as error:
            raise ImageError(f"{self._base} does not answer: {error}") from error


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(error.read())["errors"][0]
        return f"{said['code'].lower().replace('_', ' ')}: {said['message']}"
    except (ValueError, KeyError, IndexError):
        return f"{error.code} {error.reason}"


def _host(registry: str) -> str:
    return registry.removeprefix("http://").removeprefix("https://").rstrip("/")
