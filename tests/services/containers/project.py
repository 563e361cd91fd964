"""A little project with a Containerfile, and the commands on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from local_aws.containers.oci import Image
from local_aws.containers.store import Store
from local_aws.home import REPOSITORY_ROOT
from local_aws.testing import EmbeddedAws

CONTAINERFILE = """
ARG VERSION=3.11
FROM python:${VERSION}-slim AS build
RUN apt-get update && \\
    apt-get install -y gcc && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.txt wheels/ ./
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-index --find-links . --no-deps -r requirements.txt

FROM python:${VERSION}-slim AS base
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app
COPY --from=build /opt/venv /opt/venv

FROM base AS api
CMD ["python", "-c", "print('api')"]

FROM base AS batch
WORKDIR /work
COPY app/ /app/
ARG REVISION=none
LABEL revision=$REVISION
USER 1000
ENTRYPOINT ["greet"]
CMD ["world"]
"""
# A package with a program, as a wheel: nothing of a test comes over a network.
PROGRAM = """
import os, sys
import app_settings
def main():
    print("hello", *sys.argv[1:], app_settings.NAME, os.getcwd(), os.environ.get("COLOUR"))
"""


def new_project(folder: Path, containerfile: str = CONTAINERFILE) -> Path:
    """Write it; return its folder."""
    (folder / "wheels").mkdir(parents=True)
    (folder / "app").mkdir()
    (folder / "app/app_settings.py").write_text("NAME = 'settings'\n")
    (folder / "app/secret.txt").write_text("not for the image\n")
    (folder / ".dockerignore").write_text("**/secret.txt\n")
    (folder / "Containerfile").write_text(containerfile)
    (folder / "requirements.txt").write_text("greet==1.0\n")
    _wheel(folder / "wheels")
    return folder


def _wheel(folder: Path) -> None:
    import zipfile

    files = {
        "greet.py": PROGRAM,
        "greet-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greet\nVersion: 1.0\n",
        "greet-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "greet-1.0.dist-info/entry_points.txt": "[console_scripts]\ngreet = greet:main\n",
    }
    record = "".join(f"{name},,\n" for name in files) + "greet-1.0.dist-info/RECORD,,\n"
    with zipfile.ZipFile(folder / "greet-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in {**files, "greet-1.0.dist-info/RECORD": record}.items():
            wheel.writestr(zipfile.ZipInfo(name), text)


def run(home: Path, *words: str, given: str = "", aws: EmbeddedAws | None = None) -> subprocess.CompletedProcess[str]:
    """`python -m local_aws.containers …` with a home and credentials of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCAL_AWS"))}
    environment |= {
        "LOCAL_AWS_HOME": str(home),
        "DOCKER_CONFIG": str(home / "docker"),
        "REGISTRY_AUTH_FILE": str(home / "docker/config.json"),
        "PYTHONPATH": f"{REPOSITORY_ROOT}:{REPOSITORY_ROOT}/training/src",
        **(aws.env if aws else {}),
    }
    return subprocess.run(
        [sys.executable, "-m", "local_aws.containers", *words],
        input=given,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


def built_image(home: Path, name: str) -> Image:
    """The image of that name as it can be run, without a registry between."""
    stored: Any = Store(home / "built").find(name)
    config, *layers = stored.blobs
    return Image(stored.digest, json.loads(config[1].read_bytes()), tuple(path for _, path in layers))
