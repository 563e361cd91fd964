"""Functions from images: what is deployed, what a second pass changes, and what a preview says."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chronos_training.control.volatility import functions
from chronos_training.control.volatility.functions import Function
from local_aws.home import REPOSITORY_ROOT
from local_aws.testing import EmbeddedAws
from tests.services.awslambda.functions import role

pytestmark = pytest.mark.services  # each builds and pushes two images


@pytest.fixture
def images(aws: EmbeddedAws, tmp_path: Path) -> list[str]:
    """Two images of a repository, by their digests. Nothing runs in them."""
    uri = str(aws.client("ecr").create_repository(repositoryName="api")["repository"]["repositoryUri"])
    environment = {**os.environ, **aws.env, "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY_ROOT)}
    token = aws.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    found = []
    for tag in ("one", "two"):
        project = tmp_path / tag
        project.mkdir()
        (project / "file").write_text(tag)
        (project / "Containerfile").write_text('FROM scratch\nCOPY file /file\nCMD ["app.handler"]\n')
        for words in (
            ["build", "-t", f"{uri}:{tag}", str(project)],
            ["login", "--username", "AWS", "--password-stdin", uri.partition("/")[0]],
            ["push", f"{uri}:{tag}"],
        ):
            command = [sys.executable, "-m", "local_aws.containers", *words]
            subprocess.run(command, env=environment, input=_password(token), capture_output=True, text=True, check=True)
        [image] = aws.client("ecr").describe_images(repositoryName="api", imageIds=[{"imageTag": tag}])["imageDetails"]
        found.append(f"{uri}@{image['imageDigest']}")
    return found


def _password(token: str) -> str:
    import base64

    return base64.b64decode(token).decode().partition(":")[2]


@pytest.fixture
def wanted(aws: EmbeddedAws, images: list[str]) -> Function:
    return Function(
        name="f",
        role_arn=role(aws),
        image_uri=images[0],
        log_group="/aws/lambda/f",
        description="Answers",
        command=("app.other",),
        memory_mb=256,
        timeout_seconds=20,
        environment={"COLOUR": "red"},
        tags={"Stack": "volatility"},
    )


def deploy(aws: EmbeddedAws, wanted: Function, *, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    aws.forget_requests()
    client = aws.client("lambda")
    result = functions.ensure_present(client, wanted, alias="live", check_mode=check_mode, **more)
    operations = [
        one["operation"].rpartition(".")[2] for one in aws.requests() if one["operation"].startswith("lambda.")
    ]
    writes = [one for one in operations if not one.startswith(("Get", "List"))]
    assert writes == [] if check_mode else bool(writes) == result["changed"], (writes, result["diff"])
    return result


def live(aws: EmbeddedAws) -> tuple[str, dict[str, float]]:
    found = aws.client("lambda").get_alias(FunctionName="f", Name="live")
    return found["FunctionVersion"], found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})


def test_a_second_pass_changes_nothing_and_a_preview_writes_nothing(aws: EmbeddedAws, wanted: Function) -> None:
    assert deploy(aws, wanted, check_mode=True)["changed"]
    assert deploy(aws, wanted)["version"] == "1"
    assert live(aws) == ("1", {})
    said = aws.client("lambda").get_function(FunctionName="f", Qualifier="live")["Configuration"]
    assert said["LoggingConfig"]["LogGroup"] == "/aws/lambda/f"
    assert said["ImageConfigResponse"]["ImageConfig"]["Command"] == ["app.other"]
    for check_mode in (True, False):
        assert deploy(aws, wanted, check_mode=check_mode)["diff"]["after"] == ""


@pytest.mark.parametrize(
    "change",
    [
        {"command": ()},
        {"memory_mb": 512},
        {"timeout_seconds": 9},
        {"environment": {}},
        {"description": "other"},
        {"log_group": "/aws/lambda/other"},
    ],
)
def test_another_setting_is_another_version(aws: EmbeddedAws, wanted: Function, change: dict[str, Any]) -> None:
    deploy(aws, wanted)
    changed = dataclasses.replace(wanted, **change)
    preview = deploy(aws, changed, check_mode=True)
    assert preview["changed"] and len(preview["diff"]["after"].splitlines()) == 2
    assert deploy(aws, changed)["version"] == "2" and live(aws) == ("2", {})
    assert not deploy(aws, changed)["changed"]


def test_a_canary_has_its_share_and_then_everything(aws: EmbeddedAws, wanted: Function, images: list[str]) -> None:
    deploy(aws, wanted, weight=0.1)  # the first version has all requests
    assert live(aws) == ("1", {})
    new = dataclasses.replace(wanted, image_uri=images[1])
    assert deploy(aws, new, weight=0.1)["version"] == "2"
    assert live(aws) == ("1", {"2": 0.1})
    assert not deploy(aws, new, weight=0.1)["changed"]
    assert deploy(aws, new, weight=1.0, check_mode=True)["changed"]
    deploy(aws, new)
    assert live(aws) == ("2", {})


def test_back_to_the_image_before_it(aws: EmbeddedAws, wanted: Function, images: list[str]) -> None:
    deploy(aws, wanted)
    deploy(aws, dataclasses.replace(wanted, image_uri=images[1]), weight=0.1)
    deploy(aws, wanted)
    version, weights = live(aws)
    assert weights == {}
    said = aws.client("lambda").get_function_configuration(FunctionName="f", Qualifier=version)
    assert said["CodeSha256"] == images[0].rpartition(":")[2]


def test_what_was_interrupted_is_finished(aws: EmbeddedAws, wanted: Function) -> None:
    deploy(aws, wanted)
    changed = dataclasses.replace(wanted, memory_mb=512)
    aws.fault("PublishVersion", "ServiceException", status=500)
    with pytest.raises(Exception, match="deploy the function f"):
        deploy(aws, changed)
    assert live(aws) == ("1", {})
    assert deploy(aws, changed)["version"] == "2" and live(aws) == ("2", {})


def test_tags_are_added_without_a_version(aws: EmbeddedAws, wanted: Function) -> None:
    deploy(aws, wanted)
    assert deploy(aws, dataclasses.replace(wanted, tags={**wanted.tags, "CostCenter": "x"}))["changed"]


def test_it_is_deleted_once(aws: EmbeddedAws, wanted: Function) -> None:
    deploy(aws, wanted)
    client = aws.client("lambda")
    assert functions.ensure_absent(client, "f", check_mode=True)["changed"]
    assert functions.ensure_absent(client, "f", check_mode=False)["changed"]
    assert not functions.ensure_absent(client, "f", check_mode=False)["changed"]
