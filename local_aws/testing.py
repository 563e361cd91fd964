"""For tests: an embedded AWS of their own in a folder of their own, with clients and polling.

tests/conftest.py makes fixtures of it.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from local_aws import control, fault_injection
from local_aws.control import CLOCK_PATH, DECISIONS_PATH, FAULTS_PATH, REQUESTS_PATH
from local_aws.fault_injection import InjectedFaults
from local_aws.home import ACCESS_KEY, HOME_VARIABLE, REGION, SECRET_KEY, Home, Server, client_environment
from local_aws.remote_shell import RemoteShell

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str, timeout: float = 120.0, interval: float = 0.05) -> T:
    """Poll until `condition()` is truthy and return that. AssertionError naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s in vain for: {what}")
        time.sleep(interval)


class EmbeddedAws:
    """A running embedded AWS. `env` holds the variables for subprocesses that shall talk to it."""

    def __init__(self, home: Path, level: str = "") -> None:
        self.home = home
        self._home = Home(home)
        self._clients: dict[tuple[str, str, str], Any] = {}
        self.server: Server = control.start(self._home, level)[0]

    @property
    def endpoint(self) -> str:
        return self.server.endpoint

    @property
    def env(self) -> dict[str, str]:
        return {**client_environment(self.endpoint), HOME_VARIABLE: str(self.home)}

    def client(self, name: str, *, region: str = REGION, credentials: dict[str, str] | None = None) -> Any:
        """A boto3 client, thread-safe and shared. `credentials` as instance metadata has them (AccessKeyId, …, Token)."""
        keys = credentials or {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY}
        which = (name, region, keys["AccessKeyId"])
        if which not in self._clients:  # making one takes a tenth of a second, which polling would pay each time
            self._clients[which] = self._new_client(name, region, keys)
        return self._clients[which]

    def _new_client(self, name: str, region: str, keys: dict[str, str]) -> Any:
        return boto3.session.Session().client(
            name,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("Token"),
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32),
        )

    def machines(self) -> list[dict[str, Any]]:
        """What the host says of its machines (instance_id, state, process, machine_pid, metadata_endpoint)."""
        said = control.health(self.endpoint) or {}
        return list(said.get("machines", []))  # type: ignore[call-overload]

    def reset(self) -> None:
        """An empty account again, with no machine running and no fault injected."""
        self._ask("POST", "/moto-api/reset")
        self.clear_faults()
        self.inject()
        wait_for(lambda: not self.machines(), "machines of the reset account to be switched off")

    # AWS's time; see local_aws/clock.py.

    def now(self) -> datetime:
        """The time of this AWS, in UTC."""
        return datetime.fromisoformat(json.loads(self._ask("GET", CLOCK_PATH))["now"])

    def advance(self, seconds: float = 0.0, *, to: datetime | None = None) -> None:
        """Let time pass, at once, with everything that happens in it, and wait until that has come to rest."""
        self._ask("POST", CLOCK_PATH, {"to": to.isoformat()} if to else {"seconds": seconds}, timeout=900)

    def _ask(self, method: str, path: str, body: Any = None, timeout: float = 30) -> bytes:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.endpoint + path, method=method, data=data)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout) as answer:
            return bytes(answer.read())

    # Injected faults; see local_aws/faults.py.

    def fault(
        self,
        action: str,
        code: str = "",
        message: str = "",
        *,
        status: int = 400,
        times: int | None = 1,
        delay: float = 0.0,
        lose_answer: bool = False,
        **match: str,
    ) -> None:
        """Let the next `times` calls of `action` (None: all) fail with `code`, lose their answer, or be late.

        `match` narrows it to calls with these parameters: `InstanceType="g4dn.2xlarge", Zone="us-east-1a"`, `Key="a/*"`.
        """
        error = {"code": code, "message": message or code, "status": status} if code else None
        fault = {"action": action, "times": times, "match": match, "delay": delay, "error": error}
        self._ask("POST", FAULTS_PATH, {**fault, "lose_answer": lose_answer})

    def faults(self) -> list[dict[str, Any]]:
        """The faults that no call has met yet, or not often enough."""
        return list(json.loads(self._ask("GET", FAULTS_PATH)))

    def clear_faults(self) -> None:
        """Forget every fault."""
        self._ask("DELETE", FAULTS_PATH)

    def requests(self) -> list[dict[str, Any]]:
        """What arrived since the last forget_requests(); see local_aws/request_counts.py."""
        return list(json.loads(self._ask("GET", REQUESTS_PATH))["requests"])

    def forget_requests(self) -> None:
        """Count from zero."""
        self._ask("DELETE", REQUESTS_PATH)

    def inject(self, **changes: Any) -> None:
        """Inject faults into machines and the account (see local_aws/fault_injection.py); what is not named is as it should be again."""
        fault_injection.write(self._home, InjectedFaults(**changes))

    def remote_shell(self, instance_id: str) -> RemoteShell:
        """A hand inside of a running machine, once its process 1 has moved into its root."""

        def there() -> RemoteShell | None:
            leader = next((m["leader_pid"] for m in self.machines() if m["instance_id"] == instance_id), None)
            remote_shell = RemoteShell(leader) if leader else None
            return remote_shell if remote_shell and remote_shell.path("/usr/lib/local-aws").exists() else None

        return wait_for(there, f"process 1 of {instance_id}")  # type: ignore[return-value]

    # Who may what; see local_aws/iam.

    def decisions(self) -> list[dict[str, Any]]:
        """What the policies decided since the last forget_decisions(); see local_aws/iam/gate.py."""
        return list(json.loads(self._ask("GET", DECISIONS_PATH)))

    def forget_decisions(self) -> None:
        """Note decisions from now on."""
        self._ask("DELETE", DECISIONS_PATH)

    def new_user(self, name: str, **policies: Any) -> dict[str, str]:
        """Make an IAM user with these policies (name=document); return its keys as `client` takes them.

        Managed policies, because IAM takes no more than 2,048 characters of a user's own.
        """
        iam = self.client("iam")
        iam.create_user(UserName=name)
        for policy, document in policies.items():
            made = iam.create_policy(PolicyName=f"{name}-{policy}", PolicyDocument=json.dumps(document))["Policy"]
            iam.attach_user_policy(UserName=name, PolicyArn=made["Arn"])
        keys = iam.create_access_key(UserName=name)["AccessKey"]
        return {part: keys[part] for part in ("AccessKeyId", "SecretAccessKey")}

    def change_policy(self, arn: str, document: Any) -> None:
        """Let a managed policy say this from now on. IAM keeps five versions; here the newest alone is kept."""
        iam = self.client("iam")
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
        for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])

    def stop(self) -> None:
        control.stop(self._home)

    # What tests of instances do again and again.

    def launch(self, user_data: str | bytes = "", **parameters: Any) -> str:
        """RunInstances for one instance; returns its id."""
        defaults: dict[str, Any] = {
            "ImageId": "ami-0a7d80731ae1b2435",
            "InstanceType": "c5.large",
            "MinCount": 1,
            "MaxCount": 1,
        }
        if user_data:
            defaults["UserData"] = user_data
        answer = self.client("ec2").run_instances(**defaults | parameters)
        return str(answer["Instances"][0]["InstanceId"])

    def instance(self, instance_id: str) -> dict[str, Any]:
        found = self.client("ec2").describe_instances(InstanceIds=[instance_id])
        return dict(found["Reservations"][0]["Instances"][0])

    def state(self, instance_id: str) -> str:
        return str(self.instance(instance_id)["State"]["Name"])

    def wait_for_state(self, instance_id: str, state: str, timeout: float = 120.0) -> None:
        wait_for(lambda: self.state(instance_id) == state, f"{instance_id} to be {state}", timeout)

    def console(self, instance_id: str) -> str:
        """The console as EC2 returns it."""
        return str(self.client("ec2").get_console_output(InstanceId=instance_id).get("Output", ""))

    def wait_for_console(self, instance_id: str, text: str, timeout: float = 120.0) -> str:
        """Wait until `text` is on the console; returns all of it. On failure the console is part of the message."""
        try:
            return wait_for(lambda: text in (seen := self.console(instance_id)) and seen, repr(text), timeout)  # type: ignore[return-value]
        except AssertionError as error:
            raise AssertionError(f"{error}\nconsole:\n{self.console(instance_id)}") from None

    def root(self, instance_id: str) -> Path:
        """The machine's file system on this disk."""
        return self._home.instance(instance_id) / "root"
