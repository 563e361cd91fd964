"""An instance's life: cloud-init, a service, and its end, by itself or by the API."""

from __future__ import annotations

import gzip
import json

import pytest

from local_aws.testing import EmbeddedAws, wait_for


def cloud_config(**parts) -> str:
    """JSON is YAML, so this needs no care for indentation."""
    return "#cloud-config\n" + json.dumps(parts)


def script(text: str, path: str = "/opt/run.sh") -> dict:
    return {"path": path, "permissions": "0755", "content": "#!/bin/sh\n" + text}


def unit(name: str, text: str) -> dict:
    return {"path": f"/etc/systemd/system/{name}", "content": text}


RUN_SERVICE = "[Unit]\nDescription=run\n[Service]\nExecStart=/opt/run.sh\nStandardOutput=journal+console\n"


def test_from_user_data_to_terminated(aws: EmbeddedAws, machine_processes) -> None:
    user_data = cloud_config(
        write_files=[
            script(
                "echo the service runs in $INSTANCE_ROOT; echo kept > $INSTANCE_ROOT/var/log/run.log; shutdown -h now"
            ),
            unit("run.service", RUN_SERVICE),
            {"path": "/opt/big", "content": "x" * 100},
        ],
        bootcmd=["echo early > $INSTANCE_ROOT/var/early"],
        runcmd=[
            ["test", "-f", "/nonexistent"],
            "cat $INSTANCE_ROOT/var/early",
            "systemctl start --no-block run.service",
        ],
    )
    instance = aws.launch(gzip.compress(user_data.encode()), InstanceInitiatedShutdownBehavior="terminate")
    aws.wait_for_state(instance, "terminated")
    console = aws.console(instance)
    assert "early" in console
    assert f"the service runs in {aws.root(instance)}" in console
    assert "Power down" in console
    assert aws.instance(instance)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert machine_processes(aws.home) == []
    root = aws.root(instance)
    wait_for(lambda: not (root / "opt").exists(), "the disk to be given back")
    assert (root / "var/log/run.log").read_text() == "kept\n"


def test_shutdown_stops_if_the_attribute_says_stop_and_a_start_boots_again(aws: EmbeddedAws) -> None:
    ec2 = aws.client("ec2")
    user_data = cloud_config(
        bootcmd=["echo bootcmd runs on every boot"],
        write_files=[
            script("echo service on boot $(cat $INSTANCE_ROOT/var/count); sleep 1000"),
            unit("run.service", RUN_SERVICE + "[Install]\nWantedBy=multi-user.target\n"),
        ],
        runcmd=["echo runcmd runs once", "echo 2 > $INSTANCE_ROOT/var/count", "systemctl enable run", "poweroff"],
    )
    instance = aws.launch(user_data)
    aws.wait_for_state(instance, "stopped")
    assert "Created symlink /etc/systemd/system/multi-user.target.wants/run.service" in aws.console(instance)
    ec2.start_instances(InstanceIds=[instance])
    console = aws.wait_for_console(instance, "service on boot 2")
    assert console.count("bootcmd runs on every boot") == 2
    assert console.count("runcmd runs once") == 1
    ec2.stop_instances(InstanceIds=[instance])
    aws.wait_for_state(instance, "stopped")
    assert aws.instance(instance)["StateReason"]["Code"] == "Client.UserInitiatedShutdown"


def test_terminate_ends_a_process_that_ignores_term_and_hides(aws: EmbeddedAws, machine_processes) -> None:
    stubborn = "trap '' TERM HUP INT\nsetsid sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' &\necho ready\n"
    user_data = cloud_config(
        write_files=[script(stubborn + "while :; do sleep 1; done"), unit("run.service", RUN_SERVICE)],
        runcmd=["(setsid env -i sleep 1000 &) ; systemctl start run"],
    )
    instance = aws.launch(user_data)
    aws.wait_for_console(instance, "ready")
    assert machine_processes(aws.home)
    aws.client("ec2").terminate_instances(InstanceIds=[instance])
    assert aws.state(instance) == "shutting-down"  # not terminated while anything of it lives
    aws.wait_for_state(instance, "terminated")
    assert machine_processes(aws.home) == []
    assert "power cut" in aws.console(instance)


def test_service_gets_term_first_and_its_last_words_are_kept(aws: EmbeddedAws) -> None:
    polite = "trap 'echo asked to stop; exit 0' TERM\necho ready\nwhile :; do sleep 0.1; done"
    user_data = cloud_config(
        write_files=[script(polite), unit("run.service", RUN_SERVICE)], runcmd=["systemctl start run"]
    )
    instance = aws.launch(user_data)
    aws.wait_for_console(instance, "ready")
    aws.client("ec2").terminate_instances(InstanceIds=[instance])
    aws.wait_for_state(instance, "terminated")
    assert "asked to stop" in aws.console(instance)


@pytest.mark.parametrize(
    ("user_data", "message"),
    [
        ("#cloud-config\nruncmd: [unclosed\n", "Failed loading yaml blob"),
        ("#cloud-config\n- a\n- b\n", "Yaml load allows dict root types"),
        ("hello\n", "Unhandled non-multipart"),
        ('#cloud-config\n{"runcmd": [{"echo": "x"}]}', "Failed to shellify runcmd"),
        ('#cloud-config\n{"runcmmd": ["echo x"]}', "Additional properties are not allowed ('runcmmd')"),
        ('#cloud-config\n{"write_files": [{"path": "/opt/x", "encoding": "b64", "content": "abcde"}]}', "not base64"),
        ("#!/bin/sh\necho a plain script; exit 3\n", "exit code 3"),
    ],
)
def test_bad_user_data_leaves_the_machine_running(aws: EmbeddedAws, user_data: str, message: str) -> None:
    instance = aws.launch(user_data)
    console = aws.wait_for_console(instance, "finished. Datasource")
    assert message in console
    assert aws.state(instance) == "running"


def test_the_environment_of_the_machine_is_clean(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = aws.launch(
        cloud_config(runcmd=["env > $INSTANCE_ROOT/var/env", "python3 -c 'import sys; print(sys.prefix)'"])
    )
    aws.wait_for_console(instance, "finished. Datasource")
    root = aws.root(instance)
    lines = (root / "var/env").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
    assert environment["INSTANCE_ROOT"] == str(root)
    assert environment["HOME"] == str(root / "root")
    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint
    assert environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"].startswith("http://127.0.0.1:")
    assert environment["PATH"].endswith("/shims:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    foreign = {
        name
        for name in environment
        if name.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_PROFILE", "PYTHON", "VIRTUAL"))
    }
    assert foreign == set()


def test_instances_without_user_data_just_run(aws: EmbeddedAws) -> None:
    ec2, instance = aws.client("ec2"), aws.launch()
    aws.wait_for_state(instance, "running")
    assert aws.machines() == []
    for call, state in (
        (ec2.stop_instances, "stopped"),
        (ec2.start_instances, "running"),
        (ec2.terminate_instances, "terminated"),
    ):
        call(InstanceIds=[instance])
        aws.wait_for_state(instance, state)


def test_a_reboot_by_the_api_comes_back_up(aws: EmbeddedAws) -> None:
    instance = aws.launch(cloud_config(bootcmd=["echo up"], runcmd=["echo first"]))
    aws.wait_for_console(instance, "finished. Datasource")
    aws.client("ec2").reboot_instances(InstanceIds=[instance])
    console = aws.wait_for_console(instance, "boot 2")
    assert aws.state(instance) == "running"
    assert "Power down" in console
