"""Functions from images of ECR, built from a Containerfile, pushed, and run by the image's own interpreter."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.containers import engines, tools
from local_aws.home import REPOSITORY_ROOT
from local_aws.levels import debian_root
from local_aws.testing import EmbeddedAws
from tests.services.awslambda.functions import invoke, logged, role

CONTAINERFILE = """
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends libstdc++6 && rm -rf /var/lib/apt/lists/*
ENV PYTHONPATH=/packages:/app COLOUR=blue
COPY packages/ /packages/
COPY app/ /app/
WORKDIR /app
ENTRYPOINT ["python", "-m", "awslambdaric"]
CMD ["app.handler"]
"""
APP = """
import logging, os
def handler(event, context):
    print("printed")
    return [event, os.environ["COLOUR"], os.getcwd().rpartition("/")[2], context.function_version]
def other(event, context):
    raise ValueError(os.environ["COLOUR"])
def large(event, context):
    return len(b"x" * 400_000_000)
"""


@pytest.fixture
def image(aws: EmbeddedAws, tmp_path: Path, level: str) -> Iterator[str]:
    """A pushed image of `level`; returns its URI."""
    if level == "container":
        reason = engines.choose()[1] if not engines.choose()[0] else ""
        buildah = next(one for one in tools.TOOLS if one.name == "buildah")
        reason = reason or buildah.why_not() or debian_root.reason_not_to()
        if reason:
            pytest.skip(f"no real container can be built and run here: {reason}")
    packages = subprocess.run(
        [sys.executable, REPOSITORY_ROOT / "tools/group_packages.py", "functions"], capture_output=True, text=True, check=True
    ).stdout.strip()  # fmt: skip
    project = tmp_path / "project"
    (project / "app").mkdir(parents=True)
    (project / "app/app.py").write_text(APP)
    (project / "Containerfile").write_text(CONTAINERFILE)
    (project / "packages").mkdir()
    for name in ("awslambdaric", "simplejson", "snapshot_restore_py.py"):
        subprocess.run(["cp", "-r", f"{packages}/{name}", project / "packages"], check=True)
    subprocess.run(f"cp {packages}/runtime_client*.so {project}/packages", shell=True, check=True)
    uri = str(aws.client("ecr").create_repository(repositoryName="api")["repository"]["repositoryUri"])
    environment = {**os.environ, **aws.env, "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY_ROOT)}
    token = aws.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    password = base64.b64decode(token).decode().partition(":")[2]
    for words in (
        ["build", "--level", level, "-t", f"{uri}:v1", str(project)],
        ["login", "--username", "AWS", "--password-stdin", uri.partition("/")[0]],
        ["push", f"{uri}:v1"],
    ):
        command = [sys.executable, "-m", "local_aws.containers", *words]
        done = subprocess.run(command, env=environment, input=password, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    yield uri
    if level == "container":
        subprocess.run(["buildah", "rmi", f"{uri}:v1"], capture_output=True, check=False)


def create(aws: EmbeddedAws, uri: str, client: Any = None, **more: Any) -> None:
    called = client or aws.client("lambda")
    called.create_function(FunctionName="f", PackageType="Image", Code={"ImageUri": uri}, Timeout=20, **more)
    aws.advance(1)


@pytest.mark.services
@pytest.mark.parametrize("level", ["process", "container"])
def test_an_image_runs(aws: EmbeddedAws, image: str) -> None:
    create(aws, f"{image}:v1", Role=role(aws), MemorySize=256, Environment={"Variables": {"COLOUR": "red"}})
    client = aws.client("lambda")
    digest = aws.client("ecr").describe_images(repositoryName="api")["imageDetails"][0]["imageDigest"]
    said = client.get_function(FunctionName="f")
    assert said["Code"]["ResolvedImageUri"] == f"{image}@{digest}"
    assert said["Configuration"]["CodeSha256"] == digest.removeprefix("sha256:")
    assert invoke(aws, {"a": 1})["result"] == [{"a": 1}, "red", "app", "$LATEST"]
    assert "printed\n" in logged(aws)
    # Another command of the same image, and the image's own variable again.
    client.update_function_configuration(FunctionName="f", ImageConfig={"Command": ["app.other"]}, Environment={})
    aws.advance(1)
    answer = invoke(aws)
    assert (answer["FunctionError"], answer["result"]["errorMessage"]) == ("Unhandled", "blue")
    # More memory than it has.
    client.update_function_configuration(FunctionName="f", ImageConfig={"Command": ["app.large"]}, MemorySize=128)
    aws.advance(1)
    said = invoke(aws)["result"]
    assert said["errorType"] == "Runtime.OutOfMemory"
    assert said["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    with pytest.raises(ClientError, match=r"InvalidParameterValueException.*does not exist"):
        client.update_function_code(FunctionName="f", ImageUri=f"{image}:v2")


@pytest.mark.services
@pytest.mark.parametrize("level", ["process"])
def test_lambda_needs_a_way_to_the_image(aws: EmbeddedAws, image: str) -> None:
    made = role(aws)
    pull = {"Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Resource": "*"}
    rest = {"Effect": "Allow", "Action": ["lambda:CreateFunction", "iam:PassRole"], "Resource": "*"}
    policies = {"Effect": "Allow", "Action": ["ecr:GetRepositoryPolicy", "ecr:SetRepositoryPolicy"], "Resource": "*"}

    def client_of(name: str, *statements: Any) -> Any:
        document = {"Version": "2012-10-17", "Statement": statements}
        return aws.client("lambda", credentials=aws.new_user(name, own=document))

    for name, statements in {"no-pull": [rest, policies], "no-policy": [rest, pull]}.items():
        with pytest.raises(ClientError, match="AccessDeniedException"):
            create(aws, f"{image}:v1", client_of(name, *statements), Role=made)
    create(aws, f"{image}:v1", client_of("all", rest, pull, policies), Role=made)
    [statement] = json.loads(aws.client("ecr").get_repository_policy(repositoryName="api")["policyText"])["Statement"]
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    aws.client("lambda").delete_function(FunctionName="f")
    create(aws, f"{image}:v1", client_of("no-policy-now", rest, pull), Role=made)  # it is there already
