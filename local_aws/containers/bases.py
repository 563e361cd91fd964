"""Base images where none can be pulled: this computer's own Debian release from mmdebstrap, under FROM's name.

Only for buildah and podman. Docker pulls, or fails and says so.
"""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from chronos_training.control.publish import installer
from local_aws.containers.oci import ImageError
from local_aws.levels import debian_root
from local_aws.levels.debian_root import Recipe

PULL_SECONDS = 60.0
PULL_AGAIN_SECONDS = 10.0  # where it could not be pulled before
_PYTHON = re.compile(r"(?:.*/)?python:\S+")
_SYSTEM = re.compile(r"(?:.*/)?(?:debian|ubuntu)(?::\S+)?")
# Compiled packages (awslambdaric, LightGBM) load libstdc++6 and libgomp1, which Debian's Python does not bring.
_PACKAGES = ("ca-certificates", "libgomp1", "libstdc++6")
SYSTEM = Recipe(_PACKAGES, {})
PYTHON = Recipe(
    (*_PACKAGES, "python3", "python3-venv", "python3-pip"),
    {
        "usr/local/bin/python": '#!/bin/sh\nexec /usr/bin/python3 "$@"\n',
        "usr/local/bin/pip": '#!/bin/sh\nexec /usr/bin/python3 -m pip --no-input "$@"\n',
        # The official image's pip may install anywhere; Debian's asks for this.
        "etc/pip-of-image.conf": "[global]\nbreak-system-packages = true\n",
    },
)


def provide(tool: str, image: str, say: Callable[[str], None]) -> str:
    """Return the name of what FROM `image` shall use: it is there, can be pulled, or is replaced. ImageError.

    The replacement has a name of its own, so that nobody takes it for the real image.
    """
    if _quietly(tool, "inspect", "--type", "image", image) == 0:
        return image
    replacement = f"localhost/local-aws-base/{image.replace('/', '-')}"
    there = _quietly(tool, "inspect", "--type", "image", replacement) == 0
    try:
        if _quietly(tool, "pull", image, timeout=PULL_AGAIN_SECONDS if there else PULL_SECONDS) == 0:
            return image
    except subprocess.TimeoutExpired:
        pass
    recipe = PYTHON if _PYTHON.fullmatch(image) else SYSTEM if _SYSTEM.fullmatch(image) else None
    reason = debian_root.reason_not_to(recipe) if recipe else "only images of Debian, Ubuntu and Python are replaced"
    if recipe is None or reason:
        raise ImageError(f"{image} cannot be pulled, and nothing here can take its place: {reason}")
    say(f"{image} cannot be pulled; this computer's own Debian release takes its place")
    if not there:
        _make(tool, replacement, debian_root.build(say, recipe))
    return replacement


def _make(tool: str, name: str, root: Path) -> None:
    if tool != "buildah":
        archive = ["tar", "-C", str(root), "-c", "."]
        with subprocess.Popen(archive, stdout=subprocess.PIPE) as packed:
            done = subprocess.run([tool, "import", "-", name], stdin=packed.stdout, capture_output=True, text=True)
        if done.returncode:
            raise ImageError(f"{tool} import: {done.stderr.strip()}")
        return
    container = _said(tool, "from", "scratch")
    try:
        _said(tool, "add", "--quiet", container, str(root), "/")
        _said(tool, "config", "--env", "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        _said(tool, "commit", "--quiet", container, name)
    finally:
        _quietly(tool, "rm", container)


def pip_options(folder: Path) -> list[str]:
    """Options of a build by which pip in RUN finds packages where this computer's does: its settings, read only.

    They are written into `folder`, which is to be deleted after the build: an index's address may hold a password.
    """
    settings = installer.pip_settings(sys.executable)
    if not settings:
        return []
    text = configparser.RawConfigParser()
    text["global"] = {**settings, "break-system-packages": "true"}
    file = folder / "pip.conf"
    with file.open("w", encoding="utf-8") as output:
        text.write(output)
    paths = {word.removeprefix("file://") for value in settings.values() for word in value.split()}
    # The folder, not the file: a link in it would lead nowhere.
    shown = {path if os.path.isdir(path) else os.path.dirname(path) for path in paths if path.startswith("/")}
    # An index (…/simple) names its files beside it.
    shown = {os.path.dirname(path) if os.path.basename(path) == "simple" else path for path in shown}
    shown = {path for path in shown if os.path.isdir(path)}
    top = {path for path in shown if not any(path.startswith(f"{other}/") for other in shown)}
    return [part for path in sorted(top) for part in ("--volume", f"{path}:{path}:ro")] + [
        "--volume",
        f"{file}:/etc/pip.conf:ro",
    ]


def _quietly(*words: str, timeout: float | None = None) -> int:
    return subprocess.run(words, capture_output=True, check=False, timeout=timeout).returncode


def _said(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"{' '.join(words[:2])}: {done.stderr.strip()}")
    return done.stdout.strip()
