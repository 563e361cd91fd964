"""Layers of earlier builds: an instruction on the same files after the same instructions is not carried out again.

image-layers/<key>.json   {digest, diff_id} of the layer that the instruction made, or null when it changed nothing
image-layers/<sha256>     the layer
As with docker, `pip install` without versions is not asked again; `--no-cache` does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.containers import layers, unpack
from local_aws.containers.layers import Layer
from local_aws.home import REPOSITORY_ROOT, write_atomically

FOLDER = REPOSITORY_ROOT / ".cache/image-layers"
_KEPT = 14 * 86400  # seconds that a layer is kept after its last use


class LayerCache:
    """A folder that every build of this computer shares."""

    def __init__(self, folder: Path = FOLDER, *, used: bool = True) -> None:
        self._folder = folder
        self._used = used

    def find(self, key: str) -> tuple[bool, Layer | None]:
        """Return whether this is known, and the layer, if it was one."""
        note = self._folder / f"{key}.json"
        if not self._used or not note.exists():
            return False, None
        found = json.loads(note.read_text())
        if found is None:
            return True, None
        path = self._folder / str(found["digest"]).removeprefix("sha256:")
        if not path.exists():
            return False, None
        for one in (note, path):
            os.utime(one)
        return True, Layer(path, found["digest"], found["diff_id"])

    def add(self, key: str, root: Path, names: list[str]) -> Layer | None:
        """Pack what an instruction has changed, and remember it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._forget_old()
        layer = None
        if names:
            handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".layer-")
            os.close(handle)
            packed = layers.pack(root, names, Path(temporary))
            path = self._folder / packed.digest.removeprefix("sha256:")
            os.replace(temporary, path)
            layer = Layer(path, packed.digest, packed.diff_id)
        note = {"digest": layer.digest, "diff_id": layer.diff_id} if layer else None
        write_atomically(self._folder / f"{key}.json", json.dumps(note))
        return layer

    def _forget_old(self) -> None:
        limit = time.time() - _KEPT
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    path.unlink()


@dataclass
class BuiltStage:
    """A stage as far as it is built. Its root is laid out when something has to be done in it, not before."""

    folder: Path  # the root's, may be missing
    cache: LayerCache
    key: str = ""  # of everything that led here
    config: dict[str, Any] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    base_prefix: str = ""  # where the base image's Python is, like /usr/local

    @property
    def root(self) -> Path:
        """The root, with everything up to here."""
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True)
            for layer in self.layers:
                unpack.apply(layer.path, self.folder, first=True)  # a builder's layers hide nothing
        return self.folder

    def copy(self, folder: Path) -> BuiltStage:
        """A stage that begins where this one ends."""
        config = {**self.config, "Env": list(self.config["Env"])}
        return BuiltStage(folder, self.cache, self.key, config, list(self.layers), list(self.history), self.base_prefix)

    def step(self, said: str, inputs: list[Any], carry_out: Callable[[], None]) -> None:
        """Carry out an instruction, or take the layer that it made before; `inputs` is all that it depends on."""
        text = json.dumps([self.key, said, inputs], sort_keys=True)
        self.key = hashlib.sha256(text.encode()).hexdigest()
        known, layer = self.cache.find(self.key)
        if not known:
            before = layers.fingerprints(self.root)
            carry_out()
            layer = self.cache.add(self.key, self.root, layers.changed(before, layers.fingerprints(self.root)))
        elif layer is not None and self.folder.is_dir():
            unpack.apply(layer.path, self.folder, first=True)
        if layer is not None:
            self.layers.append(layer)
            self.history.append(said)
