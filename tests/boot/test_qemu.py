"""Level qemu: what only a machine with a kernel, a disk and a clock of its own shows."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.home import REPOSITORY_ROOT
from local_aws.levels.qemu import Qemu
from local_aws.testing import EmbeddedAws, wait_for
from tests.integration.local_aws.test_levels import cloud_config, nothing_of
from tests.policies import Deployment, make_roles

from .conftest import need

pytestmark = pytest.mark.qemu

BOOT = 240  # seconds; 45 on an idle computer
BOOTSTRAP = REPOSITORY_ROOT / "roles/instance_user_data/files/bootstrap.py"
LOOK = """
echo kernel $(uname -r), disk $(df --output=size -BM / | tail -1)
for where in 169.254.0.2:{port} 127.0.0.1:{port} 192.0.2.1:80; do
  python3 -c "import urllib.request as u; u.urlopen('http://$where/', timeout=2)" 2>/dev/null && echo reached $where
done
touch /root/seen
reboot
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    need(Qemu())
    server = EmbeddedAws(tmp_path_factory.mktemp("qemu") / "home", "qemu")
    yield server
    server.stop()


def console_of(server: EmbeddedAws, instance: str) -> str:
    """All of it: EC2 returns its last 64 KB."""
    return (server.root(instance).parent / "console.log").read_text()


def test_its_own_kernel_and_disk_a_reboot_and_a_shutdown_that_logind_keeps_the_time_of(aws: EmbeddedAws) -> None:
    again = "#!/bin/sh\n[ ! -e /root/seen ] || shutdown -h +1\n"
    per_boot = {"path": "/var/lib/cloud/scripts/per-boot/again", "permissions": "0755", "content": again}
    port = aws.endpoint.rpartition(":")[2]
    instance = aws.launch(
        cloud_config(write_files=[per_boot], runcmd=[LOOK.format(port=port)]),
        InstanceInitiatedShutdownBehavior="terminate",
        MetadataOptions={"HttpTokens": "required"},
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 30}}],
    )
    aws.wait_for_state(instance, "terminated", 2 * BOOT)
    console = console_of(aws, instance)
    assert aws.instance(instance)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert console.count("Linux version") == 2
    assert "host: rebooting" in console
    kernel, size = re.findall(r"kernel (\S+), disk (\d+)M", console)[0]
    assert kernel != os.uname().release
    assert 28_000 < int(size) < 30_720
    assert "Datasource DataSourceEc2" in console
    assert "reached" not in re.sub("(?i)reached target", "", console)
    assert "Shutdown scheduled for" in console
    assert not (aws.root(instance).parent / "disk.qcow2").exists()
    wait_for(lambda: nothing_of(aws), "the end of every process")


def test_ec2_presses_the_power_button_and_a_killed_server_takes_the_machine_along(
    aws: EmbeddedAws, tmp_path: Path
) -> None:
    server = EmbeddedAws(tmp_path / "home", "qemu")
    instance = server.launch("#cloud-config\n{}\n")
    server.wait_for_console(instance, "Datasource DataSourceEc2", BOOT)
    server.client("ec2").stop_instances(InstanceIds=[instance])
    server.wait_for_state(instance, "stopped", BOOT)
    console = console_of(server, instance)
    assert "reboot: Power down" in console
    assert "power cut" not in console
    server.client("ec2").start_instances(InstanceIds=[instance])
    wait_for(lambda: console_of(server, instance).count("Linux version") == 2, "the second boot", BOOT)
    os.kill(server.server.pid, signal.SIGKILL)
    wait_for(lambda: nothing_of(server), "the end of every process")


def test_a_wrong_clock_is_set_right_and_the_armed_power_off_stays_as_far_away(aws: EmbeddedAws) -> None:
    deployment = Deployment("bucket-of-a-late-machine")
    make_roles(aws.client("iam"), deployment)
    agent = b"not an archive, which comes later than the clock"
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=deployment.bucket)
    s3.put_object(Bucket=deployment.bucket, Key="runtime/agent.tar.gz", Body=agent)
    run = {
        "run_id": "20260101-000000", "env": deployment.env, "bucket": deployment.bucket, "region": deployment.region, "log_seconds": 1,
        "agent_key": "runtime/agent.tar.gz", "agent_sha256": hashlib.sha256(agent).hexdigest(), "poweroff_minutes": 60,
        "instances": 1,
    }  # fmt: skip
    files = {
        "bootstrap.py": BOOTSTRAP.read_text(),
        "run.json": json.dumps(run),
    }
    aws.inject(clock_ahead=7200)
    instance = aws.launch(
        cloud_config(
            write_files=[{"path": f"/opt/chronos-training/{name}", "content": text} for name, text in files.items()],
            runcmd=[
                "shutdown -h +60",
                "date +before=%s",
                "timeout 30 python3 /opt/chronos-training/bootstrap.py",
                "date +after=%s",
                "sleep 5",
                "busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager ScheduledShutdown",
                "poweroff",
            ],
        ),
        IamInstanceProfile={"Name": f"chronos-training-{deployment.env}-instance"},
        InstanceInitiatedShutdownBehavior="terminate",
        MetadataOptions={"HttpTokens": "required"},
    )
    aws.wait_for_state(instance, "terminated", BOOT)
    aws.inject()
    console = console_of(aws, instance)
    print(console[-6000:])
    before, after = (int(re.findall(rf"{name}=(\d+)", console)[0]) for name in ("before", "after"))
    assert 7190 < after - before < 7400
    (armed,) = re.findall(r'\(st\) "poweroff" (\d+)', console)
    assert 3500 < int(armed) / 1e6 - after < 3700
