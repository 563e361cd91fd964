"""Versions of everything that decides a result."""

from __future__ import annotations

import platform
from importlib import metadata

import chronos_training

PACKAGES = {
    "chronos": "chronos-forecasting",
    "torch": "torch",
    "transformers": "transformers",
    "accelerate": "accelerate",
    "numpy": "numpy",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "autogluon": "autogluon.timeseries",
}


def versions() -> dict[str, str | None]:
    """Return name → version of this package, Python and the libraries; null for one that is not installed."""
    found: dict[str, str | None] = {
        "chronos_training": chronos_training.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    for name, package in PACKAGES.items():
        try:
            found[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found
