"""A person at the command line: runs the playbooks as they are, on an embedded AWS of their own."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from chronos_training.control.provision.names import TASKS

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
T = TypeVar("T")


@dataclass(frozen=True)
class Finished:
    """A command that has ended: exit code and everything it printed."""

    code: int
    output: str

    def succeeded(self) -> Finished:
        assert self.code == 0, self.output
        return self

    def failed(self) -> Finished:
        assert self.code != 0, self.output
        return self


class Operator:
    """Commands and eyes of one person. `aws` is the fixture of the embedded AWS.

    The eyes are the account's root. The commands are too, until `become` gives them the keys of a user.
    """

    def __init__(self, aws: Any) -> None:
        self.aws = aws
        self._keys: dict[str, dict[str, str]] = {}  # of each task
        self.roles: Path | None = None  # a folder of roles that stand in for the project's
        self.bucket = "chronos-training-local-123456789012-us-east-1"
        self.s3, self.ec2 = aws.client("s3"), aws.client("ec2")

    def become(self, *tasks: str) -> None:
        """From now on run each command as a user who has only the policy that was provisioned for it.

        `tasks`: of chronos_training.control.provision.names.TASKS; the first that names a playbook runs it.
        """
        for task in tasks:
            keys = self.aws.new_user(task)
            policy = f"arn:aws:iam::123456789012:policy/chronos-training-local-{task}"
            self.aws.client("iam").attach_user_policy(UserName=task, PolicyArn=policy)
            self._keys[task] = {
                f"{prefix}{name}": keys[part]
                for prefix in ("AWS_", "LOCAL_AWS_")
                for name, part in (("ACCESS_KEY_ID", "AccessKeyId"), ("SECRET_ACCESS_KEY", "SecretAccessKey"))
            }

    def _environment(self, words: tuple[str, ...] = ()) -> dict[str, str]:
        environment = {**os.environ, **self.aws.env, **self._keys_for(words), "LC_ALL": "C.UTF-8"}
        environment["PATH"] = f"{BIN}:{os.environ['PATH']}"
        environment["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
        if self.roles is not None:
            environment["ANSIBLE_ROLES_PATH"] = f"{self.roles}:{ROOT / 'roles'}"
        return environment

    def _keys_for(self, words: tuple[str, ...]) -> dict[str, str]:
        """Return the keys of who may run the playbooks among `words`; those of the first task when nobody may."""
        playbooks = {Path(word).stem for word in words if word.startswith("playbooks/")}
        for task, keys in self._keys.items():
            if playbooks <= set(TASKS[task]):
                return keys
        return next(iter(self._keys.values()), {})

    def command(self, *words: str, timeout: float = 600) -> Finished:
        """Run a program of the virtual environment from the repository's root."""
        done = subprocess.run(
            [str(BIN / words[0]), *words[1:]],
            cwd=ROOT,
            env=self._environment(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Finished(done.returncode, done.stdout)

    def answer(self, prompt: str, reply: str, *words: str, timeout: float = 120) -> Finished:
        """Run a program as `command` does, in a terminal, and type `reply` and Enter when it waits after `prompt`.

        Ansible throws away what was typed before it began to read, so this types again, as a person would, while nothing happens.
        """
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [str(BIN / words[0]), *words[1:]],
            cwd=ROOT,
            env={**self._environment(words), "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # Whoever reads keys from a terminal asks to be its foreground process.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        output, until = "", time.monotonic() + timeout
        try:
            while True:
                assert time.monotonic() < until, output
                if not select.select([ours], [], [], 1.0)[0]:
                    if prompt in output:
                        os.write(ours, f"{reply}\r".encode())
                    continue
                try:
                    piece = os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
                if not piece:
                    break
                output += piece.decode(errors="replace")
            return Finished(process.wait(timeout=120), output)
        finally:
            process.kill()
            process.wait()
            os.close(ours)

    def play(self, *playbooks: str, flags: tuple[str, ...] = (), **variables: Any) -> Finished:
        """Run playbooks with extra variables."""
        words = [f"playbooks/{name}.yml" for name in playbooks] + list(flags)
        if variables:
            words += ["-e", json.dumps(variables)]
        return self.command("ansible-playbook", *words)

    def state(self) -> dict[str, Any] | None:
        """Return the state file, or None when there is none."""
        try:
            return json.loads(self.s3.get_object(Bucket=self.bucket, Key="local/system-state.json")["Body"].read())
        except self.s3.exceptions.NoSuchKey:
            return None

    def artifact(self, run_id: str, name: str) -> Any:
        """Return a JSON artifact of a run."""
        key = f"local/runs/{run_id[:4]}/{run_id[4:6]}/{run_id[6:]}/{name}"
        return json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below `prefix`."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def run_files(self, run_id: str) -> set[str]:
        """Return the names of a run's files, relative to its prefix."""
        prefix = f"local/runs/{run_id[:4]}/{run_id[4:6]}/{run_id[6:]}/"
        return {key[len(prefix) :] for key in self.keys(prefix)}

    def log(self, run_id: str, name: str) -> str:
        """Return a log of a run as S3 has it."""
        return self.s3.get_object(Bucket=self.bucket, Key=f"local/logs/{run_id}/{name}.log")["Body"].read().decode()

    def live_instances(self) -> list[str]:
        """Return the ids of all instances that are not terminated, whatever their tags."""
        pages = self.ec2.get_paginator("describe_instances").paginate()
        found = [i for page in pages for r in page["Reservations"] for i in r["Instances"]]
        return [i["InstanceId"] for i in found if i["State"]["Name"] != "terminated"]

    def instance_root(self, instance_id: str) -> Path:
        """Return the root folder of an instance at process level."""
        return Path(self.aws.home) / "instances" / instance_id / "root"


def eventually(look: Callable[[], T], what: str, timeout: float = 300) -> T:
    """Return the first true result of `look`; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not seen within {timeout:.0f} s: {what}")
