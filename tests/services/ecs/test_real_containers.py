"""Level container: an image of buildah runs as a real container. Skipped where that is not possible."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws import processes
from local_aws.containers import engines, tools
from local_aws.levels import debian_root
from local_aws.testing import EmbeddedAws
from tests.services.containers.project import new_project, run

from .account import EcsAccount

pytestmark = pytest.mark.services

FILE = """
FROM python:3.11-slim AS batch
COPY app/ /app/
RUN useradd --uid 1234 worker
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1
WORKDIR /work
USER worker
ENTRYPOINT ["python"]
CMD ["-c", "import os, app_settings; print(app_settings.__file__, os.getuid(), os.getcwd(), os.getpid())"]
"""


def _reason_not_to() -> str:
    engine, why = engines.choose()
    if not engine:
        return why
    tool = next(one for one in tools.TOOLS if one.name == "buildah")
    return tool.why_not() or debian_root.reason_not_to()


@pytest.fixture
def image(account: EcsAccount, tmp_path: Path) -> Iterator[str]:
    """Built with `--level container` and pushed to the repository `batch`."""
    yield _pushed(account, tmp_path)
    subprocess.run(["buildah", "rmi", _name(account)], capture_output=True)


def _name(account: EcsAccount) -> str:
    return f"{account.aws.endpoint.removeprefix('http://')}/batch:real"


def _pushed(account: EcsAccount, folder: Path) -> str:
    reason = _reason_not_to()
    if reason:
        pytest.skip(f"no real container can be built and run here: {reason}")
    project = new_project(folder / "project", FILE)
    home = folder / "builder"
    home.mkdir()
    name = _name(account)
    token = account.aws.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    password = base64.b64decode(token).decode().partition(":")[2]
    for words, given in (
        (["login", "--username", "AWS", "--password-stdin", name.partition("/")[0]], password),
        (["build", "--level", "container", "-t", name, str(project)], ""),
        (["push", name], ""),
    ):
        done = run(home, *words, given=given)
        assert done.returncode == 0, done.stderr
    return name


def test_nothing_of_a_real_container_is_left_by_a_crash_or_a_stop(tmp_path: Path):
    aws = EmbeddedAws(tmp_path / "home")
    try:
        account = EcsAccount(aws)
        image = _pushed(account, tmp_path)
        for crash in (True, False):
            arn = account.run(account.define("print('up')", "import time; time.sleep(600)", image=image))
            account.wait_for_line(arn, "up")
            mark = f"{aws.home}:ecs-{arn.rpartition('/')[2]}"
            assert processes.marked(mark)
            if crash:
                os.kill(aws.server.pid, signal.SIGKILL)
                aws = EmbeddedAws(aws.home)
                account = _same_account(aws, account)
            else:
                aws.stop()
            assert processes.marked(mark) == []
            assert not list((aws.home / "containers").glob("*"))
            assert not list((aws.home / "runc").glob("*"))
            assert os.fspath(aws.home) not in Path("/proc/mounts").read_text()
    finally:
        aws.stop()
        subprocess.run(["buildah", "rmi", _name(account)], capture_output=True)


def _same_account(aws: EmbeddedAws, before: EcsAccount) -> EcsAccount:
    """The account as the next daemon has it; the state may lack what came last, so a cluster and a network are looked up."""
    before.aws, before.ecs, before.iam = aws, aws.client("ecs"), aws.client("iam")
    before.subnet = aws.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    before.network = {"awsvpcConfiguration": {"subnets": [before.subnet]}}
    return before


def test_a_real_image_runs_as_its_user_in_its_own_file_system(account: EcsAccount, image: str):
    task = account.finish(image=image)
    assert task["containers"][0]["exitCode"] == 0, task
    assert account.lines(task["taskArn"]) == ["/app/app_settings.py 1234 /work 1"]

    # A role's keys and the metadata are reached from inside, and what is written is gone with the container.
    role = account.task_role({"Who": {"Action": "s3:ListAllMyBuckets", "Resource": "*"}})
    script = (
        "import os, urllib.request as u",
        "asked = u.Request(os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI'])",
        "asked.add_header('Authorization', os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN'])",
        "print(b'SecretAccessKey' in u.urlopen(asked).read())",
        "print(os.path.exists('/tmp/left')); open('/tmp/left', 'w').close()",
    )
    for _ in range(2):
        task = account.finish(*script, image=image, task_taskRoleArn=role)
        assert account.lines(task["taskArn"]) == ["True", "False"], task


def test_the_kernel_enforces_its_memory_and_it_can_be_stopped(account: EcsAccount, image: str):
    task = account.finish("data = b'1' * 700 * 1024 ** 2", "print('too much')", image=image)
    container = task["containers"][0]
    assert container["exitCode"] == 137
    assert container["reason"].startswith("OutOfMemoryError")
    for ignoring, code in ((False, 143), (True, 137)):
        definition = account.define(
            "import signal, time",
            f"signal.signal(signal.SIGTERM, signal.{'SIG_IGN' if ignoring else 'SIG_DFL'})"
            if ignoring
            else "import sys",
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))" if not ignoring else "pass",
            "print('up')",
            "time.sleep(600)",
            image=image,
            stopTimeout=2,
        )
        arn = account.run(definition)
        account.wait_for_line(arn, "up")
        account.ecs.stop_task(cluster="jobs", task=arn)
        assert account.wait(arn)["containers"][0]["exitCode"] == code
    assert not list((account.aws.home / "containers").glob("*"))
    assert (
        "overlay" not in Path("/proc/mounts").read_text()
        or os.fspath(account.aws.home) not in Path("/proc/mounts").read_text()
    )
