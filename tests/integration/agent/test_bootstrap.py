"""The bootstrap as the program it is, under the image's Python: what it needs comes late, broken or not at all."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import subprocess
import tarfile
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from local_aws.home import REPOSITORY_ROOT
from local_aws.machine.shims import base_python
from local_aws.testing import wait_for
from tests.policies import Deployment, instance_policy

PROGRAM = REPOSITORY_ROOT / "roles/instance_user_data/files/bootstrap.py"
BUCKET, LOGS = "bootstrap-of-a-run", "local/logs/20260101-000000/"
# The program with its two patiences set: tests do not wait for ten minutes.
DRIVER = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("bootstrap", sys.argv[1])
bootstrap = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bootstrap)
bootstrap.PATIENCE = bootstrap.WATCHER_PATIENCE = float(sys.argv[2])
told = json.loads((bootstrap.BASE / "run.json").read_text())
sys.exit(bootstrap.look(told) if sys.argv[3] == "look" else bootstrap.fetch(told))
"""


class Metadata(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        self._send("token")

    def do_GET(self):
        self._send("a-role" if self.path.endswith("credentials/") else json.dumps(self.server.keys))

    def _send(self, text):
        if not self.server.up:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words):
        pass


class Machine:
    """A root folder with run.json, a metadata service, and commands that write down that they were called."""

    def __init__(self, aws, folder):
        self.aws, self.root, self.s3 = aws, folder / "root", aws.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.metadata = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
        self.metadata.up, self.metadata.keys = True, self.role_credentials()
        threading.Thread(target=self.metadata.serve_forever, daemon=True).start()
        self.endpoint = aws.endpoint
        self.log = self.root / "var/log/chronos-training/bootstrap.log"
        for path in (self.log.parent, self.root / "opt/chronos-training", folder / "bin"):
            path.mkdir(parents=True)
        self.bin = folder / "bin"
        self.command("shutdown", f'echo "$@" >>{folder}/shut-down')
        self.command("systemctl", "exit 1")
        self.shut_down = folder / "shut-down"
        self.agent(self.archive())

    def role_credentials(self) -> dict[str, str]:
        """What the metadata service gives an instance: a session with the rights of the instance's role and no other."""
        deployment, name = Deployment(BUCKET), "an-instance"
        account = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": deployment.account_id}}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [account]})
        iam, policy = self.aws.client("iam"), json.dumps(instance_policy(deployment))
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
        iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=policy)
        keys = self.aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName=name)["Credentials"]
        return {"Token": keys["SessionToken"], **{part: keys[part] for part in ("AccessKeyId", "SecretAccessKey")}}

    def command(self, name, script):
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    @staticmethod
    def archive() -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            entry = tarfile.TarInfo("app/hello.txt")
            entry.size = 5
            tar.addfile(entry, io.BytesIO(b"hello"))
        return stream.getvalue()

    def agent(self, stored, digest=None):
        self.s3.put_object(Bucket=BUCKET, Key="runtime/agent.tar.gz", Body=stored)
        run = {
            "run_id": "20260101-000000", "env": "local", "bucket": BUCKET, "region": "us-east-1", "log_seconds": 0.2,
            "instances": 1,
            "agent_key": "runtime/agent.tar.gz", "agent_sha256": digest or hashlib.sha256(stored).hexdigest(),
        }  # fmt: skip
        (self.root / "opt/chronos-training/run.json").write_text(json.dumps(run))

    def start(self, what="fetch", patience=2.0) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": f"{self.bin}:/usr/bin:/bin", "INSTANCE_ROOT": str(self.root), "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{self.metadata.server_address[1]}",
        }  # fmt: skip
        words = [base_python(), "-c", DRIVER, str(PROGRAM), str(patience), what]
        with self.log.open("ab") as log:
            return subprocess.Popen(words, env=environment, stdout=log, stderr=log)

    def run(self, what="fetch", patience=2.0) -> int:
        return self.start(what, patience).wait(timeout=60)

    def has_agent(self) -> bool:
        return (self.root / "opt/chronos-training/agent/app/hello.txt").exists()

    def stored(self, name) -> str:
        try:
            return self.s3.get_object(Bucket=BUCKET, Key=LOGS + name)["Body"].read().decode()
        except self.s3.exceptions.NoSuchKey:
            return ""


@pytest.fixture
def machine(aws, tmp_path):
    made = Machine(aws, tmp_path)
    yield made
    made.metadata.shutdown()


def test_the_agent_comes_and_the_boot_is_noted(machine):
    assert machine.run() == 0
    assert machine.has_agent()
    assert float((machine.root / "run/chronos-training/booted_at").read_text()) <= time.monotonic()


def test_a_corrupt_agent_is_never_unpacked_and_its_story_is_in_s3(machine):
    machine.agent(b"not the agent", digest="0" * 64)
    (machine.root / "var/log/cloud-init-output.log").write_text("Cloud-init v. 22.4 running\nASIAIOSFODNN7EXAMPLE\n")
    assert machine.run() == 1
    assert not machine.has_agent()
    assert "sha256 of runtime/agent.tar.gz is" in machine.stored("bootstrap.log")
    assert machine.stored("console.log") == "Cloud-init v. 22.4 running\n(masked)\n"


def test_a_metadata_service_that_comes_late(machine):
    machine.metadata.up = False
    process = machine.start(patience=30)
    wait_for(lambda: machine.log.read_text().count("bootstrap: ") >= 3, "failures in the log")
    machine.metadata.up = True
    assert process.wait(timeout=120) == 0
    assert machine.has_agent()


def test_a_metadata_service_that_never_comes(machine):
    machine.metadata.up = False
    assert machine.run() == 1
    assert "giving up" in machine.log.read_text()


def test_an_s3_that_is_throttled_and_then_denied(machine):
    machine.aws.fault("GetObject", "SlowDown", status=503, times=2)
    assert machine.run(patience=30) == 0
    assert "S3 says 503 SlowDown" in machine.log.read_text()


def test_the_log_is_in_s3_while_the_agent_is_still_awaited(machine):
    machine.aws.fault("GetObject", "InternalError", status=500, times=None, Key="runtime/agent.tar.gz")
    process = machine.start(patience=60)
    wait_for(lambda: "S3 says 500 InternalError" in machine.stored("bootstrap.log"), "the log in S3")
    process.kill()
    process.wait()


def test_no_secret_is_logged(machine):
    machine.agent(b"not the agent", digest="0" * 64)
    machine.run()
    log = machine.log.read_text()
    assert not any(secret in log for secret in machine.metadata.keys.values())


class SkewedS3(http.server.BaseHTTPRequestHandler):
    """Passes on what is signed with the time that is two hours ahead, and refuses the rest as S3 does."""

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        now = datetime.now(timezone.utc) + timedelta(hours=2)
        stamp = datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        if abs(now - stamp) < timedelta(minutes=15):
            status, answer = 200, self.server.serve(self.command, self.path, body)
        else:
            status, answer = 403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>"
        self.send_response_only(status)
        self.send_header("Date", format_datetime(now, usegmt=True))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = _answer

    def log_message(self, *words):
        pass


def test_a_clock_that_is_two_hours_late(machine):
    archive = machine.archive()  # once: the time is in it
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SkewedS3)
    server.serve = lambda command, path, body: archive if command == "GET" else b""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    machine.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    machine.agent(archive)
    assert machine.run() == 0
    assert machine.has_agent()
    assert (
        "this clock is 7200 s off" in machine.log.read_text() or "this clock is 7199 s off" in machine.log.read_text()
    )
    server.shutdown()


def test_a_look_lets_a_bootstrap_work(machine):
    assert machine.run("look", patience=60) == 0
    assert not machine.shut_down.exists()


def test_a_look_ends_a_machine_whose_bootstrap_died(machine):
    machine.command("systemctl", 'test "$*" = "is-failed --quiet chronos-training.service"')
    machine.run("look", patience=60)
    assert machine.shut_down.read_text() == "-h now\n"
    assert "the bootstrap died" in machine.stored("bootstrap.log")


def test_a_shutdown_that_fails_is_followed_by_a_harder_switch(machine):
    machine.command("shutdown", "exit 1")
    machine.command("systemctl", f'echo "$@" >>{machine.shut_down}; [ "$*" = "poweroff -f -f" ]')
    machine.run("look", patience=0.0)
    assert machine.shut_down.read_text().splitlines()[1:] == ["poweroff --force", "poweroff -f -f"]


def test_a_look_ends_a_machine_to_which_no_agent_comes(machine):
    machine.run("look", patience=0.0)
    assert machine.shut_down.read_text() == "-h now\n"


def test_a_watcher_that_fails_beside_a_living_pipeline_ends_nothing(machine):
    assert machine.run() == 0
    for _ in range(5):
        machine.run("look", patience=0.0)
    assert not machine.shut_down.exists()


def test_when_pipeline_and_watcher_are_both_broken_the_machine_ends(machine):
    assert machine.run() == 0
    machine.command("systemctl", "exit 0")
    for looks in range(1, 4):
        machine.run("look")
        assert machine.shut_down.exists() == (looks == 3)
    assert os.path.exists(machine.root / "run/chronos-training/failed_looks")


def test_looks_before_the_agent_came_are_no_failures_of_its_watcher(machine):
    for _ in range(5):
        machine.run("look", patience=60)
    assert machine.run() == 0
    machine.command("systemctl", "exit 0")
    machine.run("look")
    assert not machine.shut_down.exists()
