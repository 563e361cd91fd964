"""Somebody else's clients of the registry: buildah logs in, pushes and pulls with what the AWS CLI gives it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_aws.containers import tools
from local_aws.testing import EmbeddedAws

pytestmark = pytest.mark.services


class Buildah:
    """Its own storage, so that nobody's images are touched."""

    def __init__(self, folder: Path) -> None:
        self._storage = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
        self._env = {**os.environ, "REGISTRY_AUTH_FILE": str(folder / "auth.json")}

    def __call__(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["buildah", *self._storage, *words], input=given, env=self._env, capture_output=True, text=True, timeout=120
        )


@pytest.fixture
def buildah(tmp_path: Path) -> Buildah:
    reason = next(one for one in tools.TOOLS if one.name == "buildah").why_not()
    if reason:
        pytest.skip(f"buildah does not work here: {reason}")
    return Buildah(tmp_path)


def test_an_image_is_pushed_and_pulled(aws: EmbeddedAws, buildah: Buildah, tmp_path: Path):
    ecr = aws.client("ecr")
    uri = ecr.create_repository(repositoryName="team/api", imageTagMutability="IMMUTABLE")["repository"][
        "repositoryUri"
    ]
    program = str(Path(sys.executable).with_name("aws"))
    asked = [program, "ecr", "get-login-password"]
    password = subprocess.run(asked, env={**os.environ, **aws.env}, capture_output=True, text=True, check=True).stdout
    refused = buildah("login", "--tls-verify=false", "-u", "AWS", "-p", "wrong", uri.partition("/")[0])
    assert refused.returncode != 0
    words = ["login", "--tls-verify=false", "--username", "AWS", "--password-stdin", uri.partition("/")[0]]
    assert "Login Succeeded" in buildah(*words, given=password).stdout

    (tmp_path / "file").write_text("content" * 1000)
    container = buildah("from", "scratch").stdout.strip()
    buildah("copy", container, str(tmp_path / "file"), "/file")
    for variable, refusal in (("one", ""), ("two", "cannot be overwritten because the tag is immutable")):
        buildah("config", "--env", f"WHICH={variable}", container)
        made = buildah("commit", container, f"{uri}:v1")
        assert made.returncode == 0, made.stderr
        pushed = buildah("push", "--tls-verify=false", f"{uri}:v1")
        assert (pushed.returncode != 0) == bool(refusal), pushed.stderr
        assert refusal in pushed.stderr
    [image] = ecr.describe_images(repositoryName="team/api")["imageDetails"]
    assert image["imageTags"] == ["v1"]

    buildah("rmi", "--all", "--force")
    pulled = buildah("pull", "--tls-verify=false", f"{uri}@{image['imageDigest']}")
    assert pulled.returncode == 0, pulled.stderr
    config = buildah("inspect", "--type", "image", pulled.stdout.strip()).stdout
    assert "WHICH=one" in config
    missing = buildah("pull", "--tls-verify=false", f"{uri}:v9")
    assert "manifest unknown" in missing.stderr
