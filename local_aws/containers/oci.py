"""An image as the OCI specification has it: a configuration, and layers that lie on this disk.

https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEXES = frozenset(
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"]
)
# In the configuration of an image that runs at level process: nothing else would start it rightly.
PROCESS_AUTHOR = "local_aws.containers (level process)"

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), platform.machine())


class ImageError(Exception):
    """An image that is not there, or cannot be used here. The text is for a person."""


@dataclass(frozen=True)
class Image:
    """One image for this computer's architecture. `layers` are archives, from the lowest to the highest."""

    digest: str  # of its manifest
    config: dict[str, Any]
    layers: tuple[Path, ...]

    @property
    def level(self) -> str:
        """How it runs: process or container."""
        return "process" if self.config.get("author") == PROCESS_AUTHOR else "container"

    @property
    def settings(self) -> dict[str, Any]:
        """Entrypoint, Cmd, Env, WorkingDir, User, Labels, StopSignal, as far as the image has them."""
        return dict(self.config.get("config") or {})

    @property
    def environment(self) -> dict[str, str]:
        """The image's variables."""
        return dict(line.partition("=")[::2] for line in self.settings.get("Env") or [])


def of_this_architecture(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the descriptor in an index that this computer can run. ImageError when there is none."""
    for one in manifests:
        wanted = one.get("platform", {})
        if wanted.get("os") == "linux" and wanted.get("architecture") == ARCHITECTURE:
            return one
    raise ImageError(f"image manifest does not contain descriptor matching platform 'linux/{ARCHITECTURE}'")


def argv_of(image: Image, entrypoint: list[str] | None, command: list[str] | None) -> list[str]:
    """Return entry point and command as they are put together: an entry point of its own drops the image's command.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    """
    words = list(image.settings.get("Entrypoint") or []) if entrypoint is None else entrypoint
    if command is not None:
        return [*words, *command]
    return [*words, *(image.settings.get("Cmd") or [])] if entrypoint is None else words
