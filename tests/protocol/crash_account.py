"""An account in which commands crash: who can be asked to do what, what there is, and whether that is allowed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import Any

from chronos_training.core import layout
from chronos_training.core.run_spec import ImageSpec, InstanceSpec, RunSpec
from chronos_training.core.states import FINAL
from local_aws.home import REPOSITORY_ROOT
from local_aws.moto_gaps.public_parameters import UBUNTU
from local_aws.testing import EmbeddedAws, wait_for
from tests.policies import Deployment, make_roles
from tests.protocol.crash_process import Order, as_line
from tests.run_specs import run_spec

ENV, PROJECT, REGION = "local", "Chronos-Training", "us-east-1"
BUCKET = "chronos-training-local-crashes"
TAGS = {"Project": PROJECT, "Environment": ENV, "ManagedBy": "Ansible"}
# How long EC2 may hide a new instance: five minutes there, here it lists at once. S3's times are whole seconds.
WINDOW = 0.5
PATIENCE = 60.0


def a_machine(count: int = 1) -> InstanceSpec:
    """Return what the run specs of these tests say of instances."""
    return InstanceSpec(("m5.large",), "m5.large", count=count, image=ImageSpec(UBUNTU), volume_gb=8)


@dataclass(frozen=True)
class Done:
    """What became of one command. `calls` are the AWS calls it made, `said` its lines, `error` its refusal."""

    exit: int | None
    signal: int | None
    stopped: bool
    pid: int
    calls: list[str]
    said: list[str]
    error: str
    result: Any


@dataclass(frozen=True)
class Sight:
    """What exists. `state` is the lock's record; `instances` are the live ones: id to run."""

    state: dict[str, Any] | None
    instances: dict[str, str]
    volumes: int
    interfaces: int
    schedules: int

    def words(self) -> str:
        """Return it for the table: the same for every run of the test."""
        parts = []
        if self.state is not None:
            claimed = ", claimed" if self.state["claimed_at"] else ""
            named = ", names an instance" if self.state["instance_id"] else ""
            parts.append(f"lock ({self.state['status']}{named}{claimed})")
        if self.instances:
            parts.append(f"{len(self.instances)} instance" + ("s" if len(self.instances) > 1 else ""))
        if self.schedules:
            parts.append("guard")
        return ", ".join(parts) or "nothing"


class CrashAccount:
    """One embedded account, and one process that does what it is told and dies when it is told."""

    def __init__(self, home: Path) -> None:
        self.aws = EmbeddedAws(home)
        self.folder = home.parent
        self.s3, self.ec2 = self.aws.client("s3"), self.aws.client("ec2")
        self.scheduler = self.aws.client("scheduler")
        self._provide()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.protocol.crash_process"],
            cwd=REPOSITORY_ROOT,
            env={
                **self.aws.env,
                "PYTHONPATH": f"{REPOSITORY_ROOT}:{REPOSITORY_ROOT / 'training/src'}",
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.folder),
                "TZ": "UTC",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reports = count()
        self._seconds = int(time.time()) - 100000
        self.last_run = ""

    def close(self) -> None:
        """End the process and the account."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self.aws.stop()

    # Commands.

    def run(
        self,
        command: str,
        *,
        number: int = -1,
        moment: str = "",
        signal: int = 9,
        on: str | None = None,
        endpoint: str = "",
        **arguments: Any,
    ) -> Done:
        """Do `command` in a process of its own, on this machine or on instance `on`; wait for its end or its stop."""
        report = self.folder / f"report-{next(self._reports)}"
        environment = self._environment_of(on) if on else {}
        if endpoint:
            environment["AWS_ENDPOINT_URL"] = endpoint
        order = Order(command, arguments, str(report), environment, number, moment, signal)
        return self._ask(as_line(order), report)

    def resume(self, stopped: Done) -> Done:
        """Let a stopped command go on; wait for its end."""
        return self._ask(json.dumps({"continue": stopped.pid}), None)

    def launch(self, *, instances: int = 1, **boundary: Any) -> Done:
        """Launch a run of its own id, on machines that wait: what happens on them, the test starts when it is time."""
        run_id = self.new_run_id()
        training = {"name": "crash", "run": {"instances": instances}}
        order, run = self.order_of(run_spec(run_id, training=training, instance=a_machine(instances)))
        user_data = "#cloud-config\nwrite_files:\n" + "".join(
            f"  - path: {path}\n    content: {json.dumps(text)}\n"
            for path, text in {
                "/opt/chronos-training/run.json": json.dumps(run),
                "/srv/chronos-training/output/model.bin": "weights",
                "/var/log/chronos-training/training.log": "step 1\n",
            }.items()
        )
        return self.run("launch", order=order, tags=TAGS, user_data=user_data, window=WINDOW, **boundary)

    def new_run_id(self) -> str:
        """Return an id that no run has had."""
        self._seconds += 1
        self.last_run = layout.new_run_id(datetime.fromtimestamp(self._seconds, timezone.utc))
        return self.last_run

    def order_of(self, spec: RunSpec) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a launch order, and what its user data tells the instance."""
        settings = {
            "env": ENV,
            "region": REGION,
            "bucket": BUCKET,
            "vpc_id": "",
            "subnet_ids": [self._subnet],
            "security_group_id": self._group,
            "instance_profile": f"chronos-training-{ENV}-instance",
            "guard_role_arn": self._guard_role,
            "guard_queue_arn": self._queue,
        }
        order = {
            "run_spec": spec.body().decode(),
            "settings": settings,
            "project": PROJECT,
            "root_device": "/dev/sda1",
        }
        run = {
            "run_id": spec.run_id,
            "env": ENV,
            "project": PROJECT,
            "bucket": BUCKET,
            "region": REGION,
            "run_spec_key": spec.key,
            "run_spec_sha256": spec.sha256,
            "deadline_seconds": 3600,
            "heartbeat_seconds": 30,
            "log_seconds": 10,
            "watch_seconds": 20,
            "instances": spec.instance.count,
        }
        return order, run

    def kill(self, *, force: bool = True, grace: float = 0.0, **boundary: Any) -> Done:
        """End whatever runs."""
        order = {"env": ENV, "project": PROJECT, "region": REGION, "bucket": BUCKET}
        return self.run("kill", order={**order, "grace_seconds": grace, "force": force}, window=WINDOW, **boundary)

    def verify(self) -> Done:
        """Look for orphans."""
        return self.run("verify", env=ENV, project=PROJECT, region=REGION, bucket=BUCKET)

    def boot(self) -> list[str]:
        """Let every machine that is up and was not asked before claim its run; return what each did."""
        done = []
        for instance_id in sorted(self.see().instances):
            root = self.aws.root(instance_id)
            if (root / "run/chronos-training").exists() or not self._has_started(instance_id):
                continue
            said = self.run("boot", on=instance_id)
            assert said.exit == 0, said
            if "member" in said.result:
                done.append(said.result["member"])
            elif said.result["claimed"]:
                done.append("claims")
            else:
                self.aws.wait_for_state(instance_id, "terminated", PATIENCE)
                done.append("is fenced and powers off")
        return done

    def leader(self) -> str:
        """Return the machine that has claimed the run, else the only one."""
        seen = self.see()
        named = seen.state["instance_id"] if seen.state is not None else None
        return str(named or next(iter(seen.instances)))

    def _has_started(self, instance_id: str) -> bool:
        """Wait until the machine's user data has been run; False when it is ended before that."""
        told = self.aws.root(instance_id) / "opt/chronos-training/run.json"
        wait_for(lambda: told.exists() or self._is_ending(instance_id), f"the start of {instance_id}", PATIENCE)
        return not self._is_ending(instance_id)

    def _is_ending(self, instance_id: str) -> bool:
        return self.aws.state(instance_id) not in {"pending", "running"}

    # What there is.

    def see(self) -> Sight:
        """Return everything of ours that exists now."""
        state = None
        with contextlib.suppress(self.s3.exceptions.NoSuchKey):
            state = json.loads(self.s3.get_object(Bucket=BUCKET, Key=layout.state_key(ENV))["Body"].read())
        pages = self.ec2.get_paginator("describe_instances").paginate()
        raw = [i for page in pages for r in page["Reservations"] for i in r["Instances"]]
        live = {
            i["InstanceId"]: next((t["Value"] for t in i.get("Tags", []) if t["Key"] == "RunId"), "")
            for i in raw
            if i["State"]["Name"] != "terminated"
        }
        return Sight(
            state,
            live,
            len(self.ec2.describe_volumes()["Volumes"]),
            len(self.ec2.describe_network_interfaces()["NetworkInterfaces"]),
            len(self.scheduler.list_schedules(GroupName=f"chronos-training-{ENV}")["Schedules"]),
        )

    def archived(self, run_id: str) -> dict[str, Any] | None:
        """Return the run's archived state."""
        with contextlib.suppress(self.s3.exceptions.NoSuchKey):
            key = layout.run_prefix(ENV, run_id) + "system-state.json"
            found: dict[str, Any] = json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
            return found
        return None

    def has(self, run_id: str, name: str) -> bool:
        """Return whether the run's prefix holds `name`."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=layout.run_prefix(ENV, run_id) + name)
        return found["KeyCount"] > 0

    def violations(self) -> list[str]:
        """Return what must never be, whatever was killed when: to be asked once every machine has tried its claim."""
        seen = self.see()
        wrong = []
        most = seen.state["training_config"].get("run", {}).get("instances", 1) if seen.state is not None else 1
        if len(seen.instances) > most:
            wrong.append(f"{len(seen.instances)} instances live")
        for instance_id, run_id in seen.instances.items():
            if (seen.state is None or seen.state["run_id"] != run_id) and not self.is_final(run_id):
                # (One whose run has ended is about to power off; that it does is seen at the end.)
                wrong.append(f"{instance_id} of run {run_id} lives without an owner in the state")
        return wrong

    def remains(self) -> list[str]:
        """Return what is left when nothing may be."""
        seen = self.see()
        kept = {"instances": len(seen.instances), "volumes": seen.volumes, "network interfaces": seen.interfaces}
        kept |= {"schedules": seen.schedules, "lock": 0 if seen.state is None else 1}
        return [f"{number} {what} left" for what, number in kept.items() if number]

    def is_final(self, run_id: str) -> bool:
        """Return whether the run has an archive with a final status."""
        archived = self.archived(run_id)
        return archived is not None and archived["status"] in FINAL

    # The rest.

    def _ask(self, line: str, report: Path | None) -> Done:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        events = [json.loads(entry) for entry in report.read_text().splitlines()] if report else []

        def of(kind: str) -> list[Any]:
            return [value for name, value in events if name == kind]

        assert not of("crash"), of("crash")
        return Done(
            answer["exit"],
            answer["signal"],
            answer["stopped"],
            answer["pid"],
            of("call"),
            of("say"),
            next(iter(of("error")), ""),
            next(iter(of("result")), None),
        )

    def _environment_of(self, instance_id: str) -> dict[str, str]:
        """Return what a process on that machine sees: its root, its `shutdown`, its metadata."""
        machine = next(m for m in self.aws.machines() if m["instance_id"] == instance_id)
        root = self.aws.root(instance_id)
        return {
            "INSTANCE_ROOT": str(root),
            "PATH": f"{root.parent / 'shims'}:/usr/bin:/bin",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": machine["metadata_endpoint"],
        }

    def _provide(self) -> None:
        """Make what provisioning makes, as far as a launch needs it."""
        iam, sqs = self.aws.client("iam"), self.aws.client("sqs")
        self.s3.create_bucket(Bucket=BUCKET)
        deployment = Deployment(BUCKET, ENV, PROJECT, REGION)
        make_roles(iam, deployment)
        self._guard_role = deployment.role_arn("scheduler")
        queue = sqs.create_queue(QueueName=f"chronos-training-{ENV}-guard-dlq")["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        self._queue = answer["Attributes"]["QueueArn"]
        self.scheduler.create_schedule_group(
            Name=f"chronos-training-{ENV}", Tags=[{"Key": key, "Value": value} for key, value in TAGS.items()]
        )
        self._subnet = self.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        self._group = self.ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
