"""A checkout in small: a training environment of one tiny package, which pip finds in a folder and not in a network."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

PYPROJECT = """
[project]
name = "tiny"
version = "0.1.0"
dependencies = []

[project.optional-dependencies]
stack = ["greeting==1.2"]
cuda = []
"""
LOCK = """
[[package]]
name = "greeting"
version = "1.2"
groups = ["main"]
markers = "extra == \\"stack\\""
files = [{file = "greeting-1.2-py3-none-any.whl", hash = "sha256:%s"}]
"""


def make_wheel(folder: Path, version: str = "1.2") -> str:
    """Write greeting-<version> as a wheel into `folder`; return its sha256."""
    folder.mkdir(exist_ok=True)
    info = f"greeting-{version}.dist-info"
    files = {
        "greeting/__init__.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: greeting\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    path = folder / f"greeting-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(zipfile.ZipInfo(name), content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_project(folder: Path) -> Path:
    """Make the checkout in `folder` and return it; its wheels lie in `folder`/wheels."""
    (folder / "training").mkdir(parents=True)
    digest = make_wheel(folder / "wheels")
    (folder / "training/pyproject.toml").write_text(PYPROJECT)
    (folder / "training/poetry.lock").write_text(LOCK % digest)
    return folder
