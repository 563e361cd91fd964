"""The launch's plan as a person meets it: it asks when it is told to, `--check` ends with it, and the next commands hold."""

from __future__ import annotations

import json

ASK = ("ansible-playbook", "playbooks/launch_training.yml", "-e", json.dumps({"training_launch_confirm": True}))


def test_a_launch_that_asks_starts_nothing_without_a_terminal(account):
    refused = account.play("launch_training", training_launch_confirm=True).failed().output
    assert 'Not started: training_launch_confirm requires a "yes"' in refused and "Traceback" not in refused
    assert account.state() is None and account.live_instances() == []


def test_in_a_terminal_only_a_yes_starts_it(operator):
    refused = operator.answer("Type yes", "no", *ASK).failed().output
    assert "Not started" in refused
    assert operator.state() is None and operator.live_instances() == []
    started = operator.answer("Type yes", "yes", *ASK).succeeded().output
    assert started.index("at worst: $") < started.index("Type yes") < started.index("lock taken")
    assert operator.state() is not None


def test_check_shows_the_plan_and_what_would_be_refused(operator):
    planned = operator.play("launch_training", flags=("--check",), training_launch_confirm=True).succeeded().output
    assert "would launch this run; nothing was changed" in planned and "at worst: $" in planned
    assert operator.state() is None and operator.live_instances() == []
    launched = operator.play("launch_training").succeeded().output
    after = [line.split() for line in launched.split("next:")[1].splitlines()]
    assert [words[:2] for words in after[1:4]] == [["make", "monitor"], ["make", "kill"], ["make", "verify"]]
    refused = operator.play("launch_training", flags=("--check",)).failed().output
    assert f"Run {operator.state()['run_id']} is active" in refused


def test_check_refuses_a_machine_image_that_does_not_exist(account):
    refused = (
        account.play("launch_training", flags=("--check",), training_launch_image_parameter="/none").failed().output
    )
    assert "find the machine image named by /none" in refused
