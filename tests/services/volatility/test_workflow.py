"""The workflow deploys to the embedded AWS with the role that GitHub's token gives it; a deployment that fails is taken back.

Then what people do with a deployed stack, with the same role; and that all of it needs each part of the role's policy.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws
from tests.services.volatility.deployed import SECRET, Deployed, forecasts
from tests.services.volatility.workflow import FILE, NOBODY, ROOT, Github, Job
from tests.volatility_policies import roles

pytestmark = [pytest.mark.services, pytest.mark.timeout(3600)]

REPOSITORY = "acme@1234/forecasts@5678"  # as tokens name a repository since July 2026
ROLE = "arn:aws:iam::123456789012:role/volatility-local-deployer"
HANDLER = "volatility/src/chronos_volatility/serving/handler.py"
ASKED, TAKEN_BACK = (
    "Ask the API for a forecast, and keep the commit that answered",
    "Deploy the commit that answered last",
)
DONE = {"test": "success", "plan": "success", "approve": "success", "apply": "success", "rollback": "skipped"}


@pytest.fixture(scope="module")
def api(embedded_aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """What an administrator makes once, with forecasts in its bucket; nothing is deployed."""
    embedded_aws.reset()
    folder = tmp_path_factory.mktemp("data")
    made = Deployed(embedded_aws, forecasts(folder))
    made.provision(
        "-e", f"volatility_identity_github_repository={REPOSITORY}", "-e", "volatility_identity_github_environment=dev"
    )
    made.store(folder)
    embedded_aws.forget_decisions()
    return made


@pytest.fixture(scope="module")
def github(api: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Github:
    made = Github(
        aws=api.aws,
        folder=tmp_path_factory.mktemp("github"),
        repository=REPOSITORY,
        variables={"VOLATILITY_DEPLOYER": ROLE, "AWS_REGION": "us-east-1"},
        environment={"INVENTORY": "inventories/local"},
        stand_ins={"make test": ": the tests would run here"},
    )
    made.mirror()
    return made


@pytest.fixture(scope="module")
def good(github: Github) -> tuple[str, dict[str, Job]]:
    """A commit that was deployed, and its jobs."""
    commit = github.push("Forecasts")
    return commit, github.run(commit)


def image(aws: EmbeddedAws) -> str:
    """The image that answers."""
    found = aws.client("lambda").get_function(FunctionName="volatility-local-api", Qualifier="live")
    return str(found["Code"]["ResolvedImageUri"])


def kept(aws: EmbeddedAws) -> str:
    """The commit to go back to."""
    return str(aws.client("ssm").get_parameter(Name="/volatility/local/commit")["Parameter"]["Value"])


def results(jobs: dict[str, Job]) -> dict[str, str]:
    return {name: job.result for name, job in jobs.items()}


def test_a_commit_is_deployed(api: Deployed, good: tuple[str, dict[str, Job]]) -> None:
    commit, jobs = good
    assert results(jobs) == DONE, jobs
    assert "would change: Pipeline | Make the chain" in jobs["plan"].said["Show what would change"]
    assert f"after {api.facts['session']}" in jobs["apply"].said[ASKED]
    assert kept(api.aws) == commit


@pytest.mark.usefixtures("good")
def test_images_are_scanned_and_never_replaced_and_run_by_digest_on_a_read_only_root(api: Deployed) -> None:
    for one in api.aws.client("ecr").describe_repositories()["repositories"]:
        assert one["imageTagMutability"] == "IMMUTABLE" and one["imageScanningConfiguration"] == {"scanOnPush": True}
    ecs = api.aws.client("ecs")
    [arn] = ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    [container] = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["containerDefinitions"]
    assert container["readonlyRootFilesystem"] is True and "@sha256:" in container["image"]
    assert not container.get("privileged") and "@sha256:" in image(api.aws)


@pytest.mark.parametrize(
    ("environment", "ref"),
    [("dev", "refs/heads/feature"), ("dev", "refs/pull/7/merge"), ("dev-approval", "refs/heads/main"), ("", "refs/heads/main")],
)  # fmt: skip
def test_no_other_job_signs_in(github: Github, environment: str, ref: str) -> None:
    document: dict[str, Any] = yaml.safe_load((ROOT / FILE).read_text())
    apply = document["jobs"]["apply"]
    assert github.sign_in(ROLE, "us-east-1", apply, "refs/heads/main")
    with pytest.raises(ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
        github.sign_in(ROLE, "us-east-1", apply | {"environment": environment}, ref)


def test_one_that_does_not_answer_is_taken_back(
    api: Deployed, github: Github, good: tuple[str, dict[str, Job]]
) -> None:
    serving, images = image(api.aws), stored(api.aws)
    file = github.origin / HANDLER
    file.write_text(file.read_text() + "\n\ndel handler  # nothing answers any more\n")
    jobs = github.run(github.push("A fault"))
    assert results(jobs) == DONE | {"apply": "failure", "rollback": "success"}, jobs
    assert "does not answer as it should" in jobs["apply"].said[ASKED]
    assert f"Deploying {good[0]}." in jobs["rollback"].said[TAKEN_BACK]
    assert f"after {api.facts['session']}" in jobs["rollback"].said["Ask the API for a forecast"]
    assert image(api.aws) == serving
    assert stored(api.aws) == images + 1  # the commit before was not built again
    # The next fault is taken back to the same commit: the one before it is the one that failed here.
    assert kept(api.aws) == good[0]


def stored(aws: EmbeddedAws) -> int:
    return len(aws.client("ecr").describe_images(repositoryName="volatility-local-api")["imageDetails"])


@pytest.fixture
def deployer(github: Github, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Playbooks act with the role."""
    document: dict[str, Any] = yaml.safe_load((ROOT / FILE).read_text())
    keys = github.sign_in(ROLE, "us-east-1", document["jobs"]["apply"], "refs/heads/main")
    for name in (*NOBODY, "LOCAL_AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, keys[name])
    yield


@pytest.mark.usefixtures("deployer")
def test_the_role_is_enough_for_what_people_do(api: Deployed, good: tuple[str, dict[str, Job]]) -> None:
    other, serving = api.facts["other"], api.facts["serving"]
    said = api.play(
        "promote_model", "-e", f"volatility_promote_version={other}", "-e", "volatility_promote_reason=hotfix"
    )
    assert f"{other} serves." in said
    assert f"{serving} serves." in api.play("rollback_model")
    # The chain is started and followed; a holiday ends it.
    said = api.play("run_volatility", "-e", "volatility_run_date=2026-11-26", status=2)
    assert "no session" in said, said


# What the deployments here did not need, and which ones do.
AT_ANOTHER_TIME = {
    "ecr:UploadLayerPart": "docker pushes by it",
    "ecr:PutImageTagMutability": "after somebody's change by hand",
    "ecs:PutClusterCapacityProviders": "after somebody's change by hand",
    "lambda:UpdateFunctionConfiguration": "another setting",
    "lambda:RemovePermission": "another API than before",
    "lambda:UntagResource": "a tag is no longer in the inventory",
    "logs:TagLogGroup": "another tag",
    "scheduler:UpdateSchedule": "another time, or a pause",
    "cloudwatch:DeleteAlarms": "an alarm that there is no more",
    "events:RemoveTargets": "another target",
    "sns:GetSubscriptionAttributes": "addresses in the inventory (test_alarms_by_the_deployer)",
}


@pytest.mark.usefixtures("good")
def test_the_role_has_nothing_that_all_this_did_not_need(api: Deployed) -> None:
    rows = [one for one in api.aws.decisions() if one["principal"] == ROLE]
    assert [one for one in rows if not one["allowed"]] == []
    used = {(sid.rpartition("/")[2], one["action"]) for one in rows for sid in one["by"]}
    idle = [
        f"{statement['Sid']}: {action}"
        for statement in roles()["deployer"]["policy"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if (statement["Sid"], action) not in used and action not in AT_ANOTHER_TIME
    ]
    assert idle == [], "\n".join(idle)


@contextmanager
def command_lines(secrets: list[str]) -> Iterator[list[str]]:
    """Look at the command lines of all processes meanwhile; those with a secret in them."""
    found: list[str] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    words = (process / "cmdline").read_text(errors="replace")
                except OSError:
                    continue
                found.extend(words for one in secrets if one in words)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


@pytest.mark.usefixtures("good")
def test_no_secret_is_printed_logged_or_in_a_command_line(api: Deployed) -> None:
    """With Ansible's most talkative output, and after everything above."""
    secrets = api.aws.client("secretsmanager")
    secrets.put_secret_value(
        SecretId="volatility/local/slack-webhook", SecretString="https://hooks.example.org/T0/B0/nobody"
    )
    before = secrets.get_secret_value(SecretId=SECRET)["SecretString"]
    secrets.put_secret_value(SecretId=SECRET, SecretString="n" * 12 + "0123456789" * 2)
    values = [before, "n" * 12 + "0123456789" * 2, "T0/B0/nobody"]
    loud = ("-vvvv", "--diff")
    with command_lines(values) as seen:
        said = [api.play("provision_volatility", *loud)]
        said += [api.play(name, *loud) for name in ("publish_images", "deploy_volatility", "check_volatility")]
        short = ("-e", "volatility_load_test_seconds=3", "-e", "volatility_load_test_p95_milliseconds=600000")
        said.append(api.play("load_test_volatility", *loud, *short))
    assert seen == []
    groups = [one["logGroupName"] for one in api.aws.client("logs").describe_log_groups()["logGroups"]]
    lines = [line for group in groups for line in api.log(group)]
    assert any('"path": "/v1/predict"' in line for line in lines)
    everything = "\n".join([*said, *api.outputs, *lines])
    for value in (*values, "AWS_SESSION_TOKEN", api.aws.env["AWS_SECRET_ACCESS_KEY"]):
        assert value not in everything, re.findall(rf".{{80}}{re.escape(value)}", everything)[:1]
