"""Base models that come with this package: small ones, pretrained on synthetic and real series (docs/base-models.md).

Each is a folder here, with a model card. A configuration and the commands name one as `builtin:NAME`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chronos_training.base_models.pretrained import read_pretrained
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.manifest import dataset_digest

PREFIX = "builtin:"
_HERE = Path(__file__).parent


def names() -> list[str]:
    """Return `builtin:NAME` of each base model that comes with the package."""
    return [PREFIX + folder.parent.name for folder in sorted(_HERE.glob("*/config.json"))]


def is_builtin(name: object) -> bool:
    """Return whether `name` is of a model that comes with the package, and not of a published one or a folder."""
    return str(name).startswith(PREFIX)


def folder_of(name: object) -> Path:
    """Return the folder of the model `builtin:NAME`. ConfigurationError names those that there are."""
    if str(name) not in names():
        raise ConfigurationError(
            f"There is no base model {str(name)!r} in this package.", hint=f"There are: {', '.join(names()) or 'none'}."
        )
    return _HERE / str(name).removeprefix(PREFIX)


def described(name: object) -> dict[str, Any]:
    """Return what a run spec and a training need to know of `builtin:NAME`, as of a published model; no file is in a bucket."""
    found = read_pretrained(folder_of(name))
    return {
        "name": str(name),
        "family": found.family,
        "digest": dataset_digest(found.files),
        "prefix": None,
        "revision": None,
        "settings": found.settings,
        "files": [],
    }
