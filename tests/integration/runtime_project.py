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


def make_wheel(folder: Path, version: str = "1.2", name: str = "greeting", about: str = "") -> str:
    """Write <name>-<version> as a wheel into `folder`; return its sha256. `about` is what its version.py says."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n",
        f"{name}/version.py": f"__version__ = {(about or version)!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
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


def add_torch(project: Path) -> None:
    """Lock torch, and the compiler that only its CUDA build needs; the index has both builds of torch."""
    wheels, lock = project / "wheels", project / "training/poetry.lock"
    digests = {
        "torch": make_wheel(wheels, "2.13.0", "torch", "2.13.0+cu130"),
        "triton": make_wheel(wheels, "3.7", "triton"),
    }
    make_wheel(wheels, "2.13.0+cpu", "torch")
    entry = LOCK.replace("greeting", "{name}").replace("1.2", "{version}").replace("%s", "{digest}")
    entry = entry.replace("[{file", "[{{file").replace('"}]', '"}}]')
    versions = {"torch": "2.13.0", "triton": "3.7"}
    more = [entry.format(name=name, version=versions[name], digest=digest) for name, digest in digests.items()]
    lock.write_text("".join([lock.read_text(), *more]))


def add_autogluon(project: Path) -> None:
    """Lock a second package, of the extra that only the second kind of environment has."""
    pyproject, lock = project / "training/pyproject.toml", project / "training/poetry.lock"
    digest = make_wheel(project / "wheels", "0.1", "parting")
    pyproject.write_text(pyproject.read_text() + 'autogluon = ["parting==0.1"]\n')
    entry = LOCK.replace("greeting", "parting").replace('"1.2"', '"0.1"').replace("-1.2-", "-0.1-")
    lock.write_text(lock.read_text() + entry.replace("stack", "autogluon") % digest)
