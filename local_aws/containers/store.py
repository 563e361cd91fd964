"""Images that were built here and not yet pushed: an OCI layout, with the names that they were given.

https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.containers.layers import Layer
from local_aws.containers.oci import CONFIG, LAYER, MANIFEST
from local_aws.home import write_atomically

_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class Stored:
    """An image that is in the store."""

    digest: str
    manifest: bytes
    blobs: tuple[tuple[str, Path], ...]  # configuration and layers: digest and file


class Store:
    """A folder with blobs/sha256 and index.json."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blobs = folder / "blobs/sha256"

    def add(self, config: dict[str, Any], built: Iterable[Layer], names: list[str]) -> str:
        """Take an image in under `names`, which other images lose; return its digest."""
        self._blobs.mkdir(parents=True, exist_ok=True)
        write_atomically(self._folder / "oci-layout", '{"imageLayoutVersion": "1.0.0"}')
        layers = []
        for layer in built:
            layers.append({"mediaType": LAYER, "digest": layer.digest, "size": layer.size})
            _link(layer.path, self._path(layer.digest))
        described = self._write(json.dumps(config, sort_keys=True).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, **described},
            "layers": layers,
        }
        kept = self._write(json.dumps(manifest, sort_keys=True).encode())
        with self._index() as index:
            index["manifests"] = [
                one for one in index["manifests"] if one.get("annotations", {}).get(_NAME) not in names
            ] + [{"mediaType": MANIFEST, **kept, "annotations": {_NAME: name}} for name in names]
        return str(kept["digest"])

    def find(self, name: str) -> Stored | None:
        """Return the image of that name."""
        with self._index() as index:
            found = next((one for one in index["manifests"] if one.get("annotations", {}).get(_NAME) == name), None)
        if found is None:
            return None
        data = self._path(found["digest"]).read_bytes()
        manifest = json.loads(data)
        parts = [manifest["config"], *manifest["layers"]]
        return Stored(found["digest"], data, tuple((part["digest"], self._path(part["digest"])) for part in parts))

    def _path(self, digest: str) -> Path:
        return self._blobs / digest.removeprefix("sha256:")

    def _write(self, data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (self._blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    @contextmanager
    def _index(self) -> Any:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "index.json"
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            index = json.loads(path.read_text()) if path.exists() else {"schemaVersion": 2, "manifests": []}
            yield index
            write_atomically(path, json.dumps(index))


def _link(path: Path, target: Path) -> None:
    """Have a file in a second place, without its bytes a second time."""
    if target.exists():
        return
    try:
        os.link(path, target)
    except OSError:
        os.symlink(path, target)  # another disk: the bytes stay in the cache
