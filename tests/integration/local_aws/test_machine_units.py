"""The service manager: restarts, failures, timers, stopping, power, as the units of the project use them."""

from __future__ import annotations

import re

from local_aws.testing import EmbeddedAws, wait_for
from tests.integration.local_aws.test_machine_life import cloud_config, script, unit


def boot(aws: EmbeddedAws, files: list[dict], *commands: str, **parameters) -> str:
    """Launch; every command's exit code follows it on the console as `[code N]`."""
    traced = [f'{command}; echo "[{number} code $?]"' for number, command in enumerate(commands)]
    return aws.launch(cloud_config(write_files=files, runcmd=traced), **parameters)


def service(text: str, **unit_section: str) -> str:
    head = "".join(f"{key}={value}\n" for key, value in unit_section.items())
    return f"[Unit]\nDescription=test\n{head}[Service]\nStandardOutput=journal+console\n{text}\n"


def test_restart_on_failure_until_the_start_limit_then_on_failure(aws: EmbeddedAws) -> None:
    files = [
        script("echo attempt; exit 7"),
        unit(
            "run.service",
            service("ExecStart=/opt/run.sh\nRestart=on-failure\nRestartSec=20ms", OnFailure="alarm.service"),
        ),
        unit(
            "alarm.service",
            service("Type=oneshot\nExecStart=/bin/sh -c 'echo alarm for $$MONITOR_UNIT: $$MONITOR_SERVICE_RESULT'"),
        ),
    ]
    instance = boot(aws, files, "systemctl start run")
    console = aws.wait_for_console(instance, "alarm for run.service")
    assert "[0 code 0]" in console
    assert console.count("attempt\n") == 5
    assert "Start request repeated too quickly" in console
    assert "alarm for run.service: start-limit-hit" in console


def test_a_clean_end_is_not_restarted_and_exec_stop_post_always_runs(aws: EmbeddedAws) -> None:
    files = [
        script("echo working; exit $1"),
        unit(
            "good.service",
            service(
                "ExecStart=/opt/run.sh 0\nRestart=on-failure\nExecStopPost=/bin/sh -c 'echo post good $$SERVICE_RESULT'"
            ),
        ),
        unit(
            "bad.service",
            service("ExecStart=/opt/run.sh 3\nExecStopPost=/bin/sh -c 'echo post bad $$SERVICE_RESULT $$EXIT_STATUS'"),
        ),
    ]
    instance = boot(aws, files, "systemctl start good bad")
    console = aws.wait_for_console(instance, "post bad exit-code 3")
    assert "post good success" in aws.wait_for_console(instance, "post good")
    assert console.count("working") == 2


def test_oneshot_waits_and_reports_and_remains(aws: EmbeddedAws) -> None:
    files = [
        unit(
            "ok.service",
            service("Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 0.2\nExecStart=/bin/sh -c 'echo second'"),
        ),
        unit("no.service", service("Type=oneshot\nExecStart=/bin/false")),
    ]
    commands = (
        "systemctl start ok",
        "systemctl is-active ok",
        "systemctl start no",
        "systemctl is-active no",
        "systemctl show -p ActiveState,Result,ExecMainStatus no",
        "systemctl stop ok",
        "systemctl is-active --quiet ok",
        "systemctl start nowhere",
        "systemctl stop unattended-upgrades.service apt-daily.timer",
        "systemctl is-active nowhere",
    )
    console = aws.wait_for_console(boot(aws, files, *commands), f"[{len(commands) - 1} code")
    codes = [int(code) for code in re.findall(r"\[\d+ code (\d+)\]", console)]
    assert codes == [0, 0, 1, 3, 0, 0, 3, 5, 0, 3]
    assert "ActiveState=failed\nResult=exit-code\nExecMainStatus=1\n" in console
    assert console.index("second") < console.index("[0 code 0]")


def test_environment_working_directory_and_log_files(aws: EmbeddedAws) -> None:
    files = [
        {"path": "/etc/run.env", "content": "# comment\nFROM_FILE='a b'\nPLAIN=c\n"},
        {"path": "/srv/keep", "content": ""},
        unit(
            "run.service",
            '[Service]\nType=oneshot\nEnvironment=ONE=1 "TWO=2 2"\nEnvironmentFile=-/etc/missing.env\n'
            "EnvironmentFile=/etc/run.env\nWorkingDirectory=/srv\nStandardOutput=append:/var/log/run.log\n"
            "ExecStart=/bin/sh -c 'echo \"$$ONE|$$TWO|$$FROM_FILE|${PLAIN}|$$(pwd)|100%%\"; echo wrong >&2'\n",
        ),
    ]
    instance = boot(aws, files, "systemctl start run", "systemctl start run")
    aws.wait_for_console(instance, "[1 code 0]")
    root = aws.root(instance)
    assert (root / "var/log/run.log").read_text() == f"1|2 2|a b|c|{root}/srv|100%\nwrong\n" * 2


def test_timers_repeat_and_stop(aws: EmbeddedAws) -> None:
    files = [
        unit("tick.service", service("Type=oneshot\nExecStart=/bin/sh -c 'echo tick'")),
        unit(
            "tick.timer",
            "[Timer]\nOnActiveSec=50ms\nOnUnitInactiveSec=150ms\nAccuracySec=1\n[Install]\nWantedBy=timers.target\n",
        ),
        unit("late.service", service("Type=oneshot\nExecStart=/bin/sh -c 'echo late'")),
        unit("late.timer", "[Timer]\nOnBootSec=1h\n"),
        unit("past.service", service("Type=oneshot\nExecStart=/bin/sh -c 'echo past'")),
        unit("past.timer", "[Timer]\nOnBootSec=1ms\n"),
    ]
    commands = (
        "systemctl enable --now tick.timer",
        "systemctl start late.timer past.timer",
        "systemctl is-enabled tick.timer",
    )
    instance = boot(aws, files, *commands, "sleep 1.2; systemctl stop tick.timer", "echo stopped", "sleep 0.5")
    console = aws.wait_for_console(instance, "[5 code 0]")
    lines = console.splitlines()  # of services and commands: either may come between two of the other
    stopped = lines.index("stopped")
    assert lines[:stopped].count("tick") >= 3
    assert lines[stopped:].count("tick") == 0
    assert lines.count("past") == 1
    assert "late" not in lines
    assert "enabled" in lines and "[2 code 0]" in lines


def test_a_timer_waits_while_its_unit_runs(aws: EmbeddedAws) -> None:
    files = [
        unit("slow.service", service("Type=oneshot\nExecStart=/bin/sh -c 'echo begin; sleep 0.4; echo end'")),
        unit("slow.timer", "[Timer]\nOnActiveSec=0\nOnUnitActiveSec=100ms\n"),
    ]
    instance = boot(aws, files, "systemctl start slow.timer", "sleep 1.5", "systemctl stop slow.timer")
    console = aws.wait_for_console(instance, "[2 code 0]")
    assert re.findall(r"\n(begin|end)(?=\n)", console)[:4] == ["begin", "end", "begin", "end"]


def test_stop_kills_after_its_timeout_and_kill_sends_what_it_is_told(aws: EmbeddedAws) -> None:
    files = [
        script("trap '' TERM; trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done"),
        unit("run.service", service("ExecStart=/opt/run.sh\nTimeoutStopSec=300ms\nRestart=always")),
    ]
    commands = (
        "systemctl start run; sleep 0.3",
        "systemctl kill -s USR1 --kill-whom=main run; sleep 0.2",
        "systemctl stop run",
    )
    console = aws.wait_for_console(boot(aws, files, *commands, "systemctl is-active run"), "[3 code 3]")
    assert "usr1" in console
    assert "State 'stop-sigterm' timed out. Killing." in console
    assert console.count("ready") == 1  # Restart=always does not apply to a stop that was asked for


def test_kill_mode_mixed_asks_the_main_process_only_and_kills_the_rest(aws: EmbeddedAws) -> None:
    child = "sh -c 'trap \"echo the child was asked\" TERM; while :; do sleep 0.05; done' &"
    files = [
        script(f"{child}\ntrap 'echo main was asked; exit 0' TERM; echo ready; while :; do sleep 0.05; done"),
        unit("run.service", service("ExecStart=/opt/run.sh\nKillMode=mixed")),
    ]
    commands = ("systemctl start run; sleep 0.3", "systemctl stop run", "systemctl start missing.timer; sleep 0.2")
    lone = unit("missing.timer", "[Timer]\nOnActiveSec=1s\n")
    console = aws.wait_for_console(boot(aws, [*files, lone], *commands), "[2 code")
    assert "main was asked" in console
    assert "the child was asked" not in console
    assert "Unit missing.service not found" in console


def test_restart_and_masking(aws: EmbeddedAws) -> None:
    files = [script("echo up; sleep 100"), unit("run.service", service("ExecStart=/opt/run.sh"))]
    commands = (
        "systemctl start run; sleep 0.2",
        "systemctl restart run; sleep 0.2",
        "systemctl try-restart run; sleep 0.2",
        "systemctl mask --now apt-daily.timer",
        "systemctl is-enabled apt-daily.timer",
        "systemctl daemon-reload",
        "systemctl frobnicate run",
    )
    console = aws.wait_for_console(boot(aws, files, *commands), "[6 code 1]")
    assert console.count("\nup\n") == 3
    assert "masked\n[4 code 1]" in console
    assert "verb 'frobnicate' is not played" in console


def test_units_that_systemd_would_refuse(aws: EmbeddedAws) -> None:
    files = [
        unit("empty.service", "[Service]\nType=oneshot\n"),
        unit("odd.service", "[Service]\nExecStart=/bin/true\nNonsense=1\n"),
        unit("gone.service", "[Service]\nType=oneshot\nExecStart=/opt/missing\n"),
    ]
    console = aws.wait_for_console(
        boot(aws, files, "systemctl start empty", "systemctl start odd", "systemctl start gone"), "[2 code 1]"
    )
    assert "Service has no ExecStart= setting" in console
    assert "Nonsense= in [Service] does nothing" in console
    assert "[1 code 0]" in console
    assert "Failed to execute '/opt/missing'" in console


def test_a_unit_cannot_reach_the_person_s_own_shutdown(aws: EmbeddedAws) -> None:
    files = [unit("end.service", service("Type=oneshot\nExecStart=/usr/sbin/shutdown -h now"))]
    instance = boot(aws, files, "systemctl start --no-block end", InstanceInitiatedShutdownBehavior="terminate")
    aws.wait_for_state(instance, "terminated")


def test_a_scheduled_shutdown_can_be_cancelled_and_replaced(aws: EmbeddedAws) -> None:
    commands = ("shutdown -h +1 the deadline", "shutdown -c", "shutdown -P +600", "shutdown +x", "shutdown now the end")
    instance = boot(aws, [], *commands, InstanceInitiatedShutdownBehavior="terminate")
    aws.wait_for_state(instance, "terminated")
    console = aws.console(instance)
    assert "The system will poweroff in 1 min! the deadline" in console
    assert "The system shutdown has been cancelled" in console
    assert "The system will poweroff in 600 min!" in console
    assert "Failed to parse time specification: +x" in console


def test_poweroff_waits_for_a_stubborn_unit_but_not_with_force_twice(aws: EmbeddedAws) -> None:
    files = [
        script("trap '' TERM; echo ready; while :; do sleep 0.1; done"),
        unit("run.service", service("ExecStart=/opt/run.sh\nTimeoutStopSec=600s")),
    ]
    commands = (
        "systemctl start run; sleep 0.3",
        "systemctl poweroff",
        "sleep 0.5; systemctl start run",
        "poweroff -f -f",
    )
    instance = boot(aws, files, *commands, InstanceInitiatedShutdownBehavior="terminate")
    aws.wait_for_state(instance, "terminated")  # long before the unit's 600 s are over
    console = aws.console(instance)
    assert "Transaction is destructive" in console
    assert "immediate" in console


def test_user_data_commands_end_with_the_machine(aws: EmbeddedAws, machine_processes) -> None:
    instance = aws.launch(cloud_config(runcmd=["echo begin; sleep 1000; echo never"]))
    aws.wait_for_console(instance, "begin")
    aws.client("ec2").stop_instances(InstanceIds=[instance])
    aws.wait_for_state(instance, "stopped")
    wait_for(lambda: not machine_processes(aws.home), "the machine's processes to be gone", 1)
    assert "never" not in aws.console(instance).split("begin", 1)[1]
