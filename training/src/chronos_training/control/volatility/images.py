"""Build the images of the volatility stack and push them to ECR, each once: what is there is found by its tag."""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from chronos_training.control.volatility import image_context
from chronos_training.core import aws
from chronos_training.core.errors import TrainingError

REPOSITORY = Path(__file__).resolve().parents[5]
CACHE = REPOSITORY / ".cache"
PATHS = [*image_context.SOURCES, "volatility/poetry.lock", "volatility/pyproject.toml", "tools/lockfile.py"]


def ensure_pushed(
    ecr: Any,
    repositories: dict[str, str],
    *,
    builder: Sequence[str],
    options: Sequence[str],
    tag: str,
    check_mode: bool,
    emit: Callable[[str], None],
) -> dict[str, Any]:
    """Have each target of the Containerfile in its repository (`repositories`: target to name). Returns their references.

    `builder` is docker, or another program with its words. `tag` is the commit's where empty. TrainingError.
    """
    CACHE.mkdir(exist_ok=True)
    # A folder of its own: two may publish from one checkout at the same time.
    with tempfile.TemporaryDirectory(prefix="volatility-images-", dir=CACHE) as folder:
        context = Path(folder)
        content = image_context.write(REPOSITORY, context)
        tag = tag or commit_tag(content)
        there = {target: _find(ecr, name, tag) for target, name in repositories.items()}
        missing = [target for target, found in there.items() if not found]
        result: dict[str, Any] = {"changed": bool(missing), "tag": tag, "pushed": missing}
        if missing and not check_mode:
            signed_in = False
            for target in missing:
                with aws.explained(f"find the repository {repositories[target]}"):
                    found = ecr.describe_repositories(repositoryNames=[repositories[target]])["repositories"][0]
                uri = str(found["repositoryUri"])
                emit(f"{target}: building")
                file = str(context / "Containerfile")
                words = ["build", "--file", file, "--target", target, "--tag", f"{uri}:{tag}", *options, str(context)]
                _run([*builder, *words], f"build the image {target}")
                if not signed_in:
                    _sign_in(ecr, builder, uri.partition("/")[0])
                    signed_in = True
                emit(f"{target}: pushing")
                _run([*builder, "push", f"{uri}:{tag}"], f"push the image {target}")
                there[target] = _find(ecr, repositories[target], tag)
        return result | {"images": {target: found for target, found in there.items() if found}}


def commit_tag(content: str) -> str:
    """Return the last commit that changed what the images are of; with uncommitted changes, and without git, their content."""
    try:
        changed = _git("status", "--porcelain", "--", *PATHS)
        commit = _git("log", "-1", "--format=%h", "--abbrev=12", "--", *PATHS)
    except (OSError, subprocess.CalledProcessError):
        return content[:16]
    if not commit:
        return content[:16]
    return f"{commit}-{content[:12]}" if changed else commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _find(ecr: Any, name: str, tag: str) -> str:
    """Return the reference by digest of an image, empty when it, or its repository, is not there."""
    try:
        with aws.explained(f"look for {name}:{tag}"):
            [image] = ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])["imageDetails"]
            [repository] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    except TrainingError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in (
            "ImageNotFoundException",
            "RepositoryNotFoundException",
        ):
            return ""
        raise
    return f"{repository['repositoryUri']}@{image['imageDigest']}"


def _sign_in(ecr: Any, builder: Sequence[str], registry: str) -> None:
    with aws.explained("sign in to the registry"):
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    password = base64.b64decode(token).decode().partition(":")[2]
    words = ["login", "--username", "AWS", "--password-stdin", registry]
    _run([*builder, *words], f"sign in to {registry}", password)


def _run(words: list[str], what: str, given: str = "") -> None:
    try:
        done = subprocess.run(words, cwd=REPOSITORY, env=os.environ, input=given, capture_output=True, text=True)
    except OSError as error:
        raise TrainingError(
            f"Could not {what}: {words[0]}: {error.strerror}.",
            hint="volatility_images_builder names the program; docker, podman and buildah are known.",
        ) from error
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise TrainingError(f"Could not {what}: {words[0]} ended with exit code {done.returncode}.\n{last}")
