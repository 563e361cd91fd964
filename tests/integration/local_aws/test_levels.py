"""Levels of a boot: chosen by trying, real where they say so, and gone without a trace like the process level."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from local_aws import processes
from local_aws.home import Home, LocalAwsError
from local_aws.levels import choice
from local_aws.levels.base import Level
from local_aws.levels.namespace import Namespace
from local_aws.levels.nspawn import Nspawn
from local_aws.remote_shell import RemoteShell
from local_aws.testing import EmbeddedAws, wait_for

REAL = [pytest.param(Namespace, id="namespace"), pytest.param(Nspawn, id="nspawn", marks=pytest.mark.boot)]


@pytest.fixture(params=REAL, scope="module")
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An embedded AWS whose machines have a Debian root and a network of their own."""
    level: Level = request.param()
    reason = level.reason_not_to()
    if reason:
        pytest.skip(f"level {level.name}: {reason}")
    server = EmbeddedAws(tmp_path_factory.mktemp(level.name) / "home", level.name)
    yield server
    server.stop()


def cloud_config(**parts: object) -> str:
    return "#cloud-config\n" + json.dumps(parts)


def unit(name: str, text: str) -> dict[str, str]:
    return {"path": f"/etc/systemd/system/{name}", "content": text}


def script(text: str) -> dict[str, str]:
    return {"path": "/opt/run.sh", "permissions": "0755", "content": "#!/bin/sh\n" + text}


SERVICE = unit("run.service", "[Service]\nExecStart=/opt/run.sh\nStandardOutput=append:/var/log/run.log\n")
START = ["systemctl", "start", "--no-block", "run.service"]
LOOK = """python3 - <<'END'
import os, urllib.request
url = "http://169.254.169.254/latest/"
ask = urllib.request.Request(url + "api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
token = urllib.request.urlopen(ask).read().decode()
ask = urllib.request.Request(url + "meta-data/instance-id", headers={"X-aws-ec2-metadata-token": token})
print("instance", urllib.request.urlopen(ask).read().decode())
print("aws", urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_local_aws/health").status)
print("root", os.environ.get("INSTANCE_ROOT"), "user", os.getuid(), "networks", os.listdir("/sys/class/net"))
END
"""


def nothing_of(server: EmbeddedAws) -> bool:
    """Whether no process of a machine is left, nor one that holds one."""
    holders = [p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"]) if processes.is_alive(p)]
    held = [words for words in holders if any(str(server.home / "instances") in word for word in words)]
    return not held and not processes.marked(Home(server.home).machine_marker())


def sleeps(remote_shell: RemoteShell) -> bool:
    """Whether the machine's service has come as far as its sleep."""
    return "sleep 1000" in remote_shell.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '", check=False)


@pytest.mark.long
def test_real_cloud_init_finds_ec2_by_itself_and_shutdown_terminates(real: EmbeddedAws) -> None:
    data = cloud_config(write_files=[script(LOOK + "shutdown -h now\n"), SERVICE], runcmd=[START])
    instance = real.launch(
        data, InstanceInitiatedShutdownBehavior="terminate", MetadataOptions={"HttpTokens": "required"}
    )
    real.wait_for_state(instance, "terminated", 60)
    console = real.console(instance)
    assert "Cloud-init v." in console
    assert "Datasource DataSourceEc2" in console
    assert "Invalid cloud-config" not in console
    said = (real.root(instance) / "var/log/run.log").read_text()
    assert f"instance {instance}\n" in said
    assert "aws 200\n" in said
    assert "root None user 0 networks ['lo']" in said
    assert real.instance(instance)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    wait_for(lambda: nothing_of(real), "the end of every process")


def test_several_at_once_are_refused_because_they_cannot_reach_each_other(real: EmbeddedAws) -> None:
    two = {"ImageId": "ami-0a7d80731ae1b2435", "MinCount": 2, "MaxCount": 2, "InstanceType": "c5.large"}
    with pytest.raises(ClientError, match=f"level {real.server.level} .*cannot reach each other"):
        real.client("ec2").run_instances(**two)


def test_malformed_user_data_does_nothing_and_the_machine_runs_on(real: EmbeddedAws) -> None:
    instance = real.launch("#cloud-config\nruncmd: [[shutdown, -h, now]\n")
    real.wait_for_console(instance, "Datasource DataSourceEc2", 60)
    assert real.state(instance) == "running"
    real.client("ec2").terminate_instances(InstanceIds=[instance])
    real.wait_for_state(instance, "terminated")


def test_terminate_ends_what_ignores_it(real: EmbeddedAws) -> None:
    hang = script("trap '' TERM\nsetsid sleep 1000 &\nsleep 1000\n")
    instance = real.launch(cloud_config(write_files=[hang, SERVICE], runcmd=[START]))
    remote_shell = real.remote_shell(instance)
    wait_for(lambda: sleeps(remote_shell), "the service", 60)
    real.client("ec2").terminate_instances(InstanceIds=[instance])
    real.wait_for_state(instance, "terminated")
    wait_for(lambda: nothing_of(real), "the end of every process")


def test_a_reboot_keeps_the_disk_and_does_not_repeat_runcmd(real: EmbeddedAws) -> None:
    data = cloud_config(
        bootcmd=["echo every boot >> /var/log/boots"],
        runcmd=["echo first boot only >> /var/log/boots; touch /run/note"],
    )
    instance = real.launch(data)
    boots = real.root(instance) / "var/log/boots"
    wait_for(lambda: boots.exists() and "only" in boots.read_text(), "the first boot", 60)
    real.client("ec2").reboot_instances(InstanceIds=[instance])
    wait_for(lambda: boots.read_text().count("every") == 2, "the second boot", 60)
    assert boots.read_text() == "every boot\nfirst boot only\nevery boot\n"
    assert not real.remote_shell(instance).path("/run/note").exists()
    real.client("ec2").terminate_instances(InstanceIds=[instance])
    real.wait_for_state(instance, "terminated")


def test_a_killed_server_takes_its_machines_along(real: EmbeddedAws, tmp_path: Path) -> None:
    server = EmbeddedAws(tmp_path / "home", real.server.level)
    instance = server.launch(cloud_config(write_files=[script("sleep 1000\n"), SERVICE], runcmd=[START]))
    remote_shell = server.remote_shell(instance)
    wait_for(lambda: sleeps(remote_shell), "the service", 60)
    os.kill(server.server.pid, signal.SIGKILL)
    wait_for(lambda: nothing_of(server), "the end of every process")


def test_a_cut_network_loses_packets_and_comes_back(real: EmbeddedAws) -> None:
    instance = real.launch("#cloud-config\n{}\n")
    remote_shell = real.remote_shell(instance)
    ask = (
        "import urllib.request as u; r=u.Request('http://169.254.169.254/latest/api/token',method='PUT',"
        "headers={'X-aws-ec2-metadata-token-ttl-seconds':'60'}); print(len(u.urlopen(r,timeout=2).read()))"
    )
    assert remote_shell.run("python3", "-c", ask).strip() == "56"
    with remote_shell.network_cut():
        assert "timed out" in remote_shell.run("python3", "-c", ask, check=False)
    assert remote_shell.run("python3", "-c", ask).strip() == "56"
    real.inject(metadata_down=True)
    assert "RemoteDisconnected" in remote_shell.run("python3", "-c", ask, check=False)
    real.inject()
    assert remote_shell.run("python3", "-c", ask).strip() == "56"
    real.client("ec2").terminate_instances(InstanceIds=[instance])


def test_a_machine_with_a_wrong_clock_is_refused_and_told_the_time(real: EmbeddedAws) -> None:
    instance = real.launch("#cloud-config\n{}\n")
    remote_shell = real.remote_shell(instance)
    ask = (
        "import urllib.request as u, urllib.error as e, email.utils as m, time; now=time.gmtime()\n"
        f"r=u.Request('{real.endpoint}/bucket/key',headers={{'X-Amz-Date':time.strftime('%Y%m%dT%H%M%SZ',now)}})\n"
        "try: u.urlopen(r)\n"
        "except e.HTTPError as said:\n"
        "  (date,) = said.headers.get_all('Date')\n"
        "  late = m.parsedate_to_datetime(date).timestamp()-time.time()\n"
        "  print(b'RequestTimeTooSkewed' in said.read(), 7100 < late < 7300)"
    )
    real.inject(clock_ahead=7200)
    assert remote_shell.run("python3", "-c", ask).strip() == "True True"
    real.inject()
    assert remote_shell.run("python3", "-c", ask).strip() == "False False"
    real.client("ec2").terminate_instances(InstanceIds=[instance])


def test_one_that_does_not_work_is_replaced_by_the_next_lower_one_and_that_is_said(
    run_cli: Callable, fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A computer without unshare(1): no namespaces.
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(bare))
    started = run_cli("start", "--level", "best", home=fresh_home)
    assert started.returncode == 0, started.stderr
    assert "level namespace does not work here: there is no unshare" in started.stderr
    assert "using level process" in started.stderr
    assert "instances are of level process" in started.stderr
    asked = run_cli("start", "--level", "namespace", home=fresh_home)
    assert "it runs already, at level process; stop it to get level namespace" in asked.stderr


def test_an_unknown_level_is_refused_with_those_that_exist() -> None:
    with pytest.raises(LocalAwsError, match="Choose one of: qemu, nspawn, namespace, process, best"):
        choice.choose("docker")
