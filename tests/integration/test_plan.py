"""What a launch says before it starts anything: settings, order of attempts, time, limit, cost, doubts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from chronos_training.control.launch import plan_text
from chronos_training.control.launch.plan import Plan
from chronos_training.control.launch.plan_text import lines
from chronos_training.core import layout
from chronos_training.core.cost import HourlyPrice, price_table
from chronos_training.core.errors import ConfigurationError, TrainingError
from chronos_training.core.run_spec import ImageSpec, LimitsSpec, ResumeSpec
from tests.integration import plan_account
from tests.integration.plan_account import BUCKET as BUCKET
from tests.integration.plan_account import make_account, put

SHORT: dict[str, Any] = {"model": {"context_length": 28}, "forecast": {"prediction_length": 7}}
TABLE: dict[str, Any] = {"price_per_hour": None}  # prices from the table, not from the inventory


@pytest.fixture(autouse=True)
def account(s3: Any, tmp_path: Path) -> Any:
    make_account(s3, tmp_path)
    return s3


def make(folder: Path, sections: dict[str, Any] | None = None, **changes: Any) -> Plan:
    return plan_account.plan(folder, "birthdays_tiny_cpu", {**SHORT, **(sections or {})}, **changes)


def lines_of(plan: Plan, label: str) -> list[str]:
    """Return the texts beside a label."""
    found, on = [], False
    for line in lines(plan):
        if line[: plan_text.LABEL].strip():
            on = line[: plan_text.LABEL].strip() == label
        if on:
            found.append(line[plan_text.LABEL :])
    return found


def test_settings_are_told_below_the_source_that_gave_them(tmp_path, account):
    put(account, "local/configs/birthdays_tiny_cpu.yaml", b"training: {steps: 500, seed: 7}\n")
    texts = lines_of(make(tmp_path, {"training": {"steps": 800}}), "settings")
    repository = texts.index("training/configs/birthdays_tiny_cpu.yaml")
    bucket = texts.index(f"s3://{BUCKET}/local/configs/birthdays_tiny_cpu.yaml")
    own = texts.index(str(tmp_path / "mine.yaml"))
    assert repository < bucket < own
    assert [text.split() for text in texts[bucket + 1 : own]] == [["training.seed", "0", "->", "7"]]
    assert ["training.steps", "1200", "->", "800"] in [text.split() for text in texts[own + 1 :]]
    assert not any("batch_size" in text for text in texts)  # the file gives it, as the default has it


def test_nothing_is_wider_than_a_terminal(tmp_path):
    types = ("g4dn.2xlarge", "g4dn.xlarge", "m5.large", "x9.huge")
    made = make(tmp_path, {"evaluation": {"baselines": ["naive", "auto_ets"]}}, instance_types=types, **TABLE)
    file = str(tmp_path / "mine.yaml")
    assert max(len(line) for line in lines(made) if file not in line) <= 78


def test_types_and_zones_stand_in_the_order_in_which_they_are_tried(tmp_path):
    texts = lines_of(make(tmp_path, instance_types=("g4dn.2xlarge", "g4dn.xlarge"), **TABLE), "instance")
    assert texts[0].startswith("1. g4dn.2xlarge  $0.") and texts[1].startswith("2. g4dn.xlarge   $0.")
    assert texts[2] == "each in us-east-1b, then us-east-1a"


def test_a_dataset_and_an_environment_have_name_size_and_hash(tmp_path):
    made = make(tmp_path)
    digest = made.run_spec.data.digest
    assert lines_of(made, "dataset")[0].startswith(f"birthdays, sha256 {digest[:12]}: 1 series, 200 rows, ")
    assert lines_of(made, "environment") == ["torch 2.13.0+cpu, Python 3.11.7, sha256 cccccccccccc: 0.0 MB"]


def test_a_first_run_has_no_invented_time(tmp_path):
    made = make(tmp_path, **TABLE)
    assert made.duration_estimate is None
    assert " ".join(lines_of(made, "time")).startswith("not known: no run of birthdays-tiny-cpu with these settings")
    assert lines_of(made, "cost")[0] == "expected: not known"


def past_run(s3: Any, run_id: str, made: Plan, training_seconds: int, **changes: Any) -> None:
    """Store what a completed run leaves that took 30 s to boot, 10 s for each step, and `training_seconds`."""
    day = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"

    def at(seconds: int) -> str:
        return f"{day}T01:{seconds // 60:02d}:{seconds % 60:02d}Z"

    moments, steps = 30, {}
    for name in ("initialization", "data_sync", "training", "results_sync", "cleanup"):
        took = training_seconds if name == "training" else 10
        steps[name] = {"started_at": at(moments), "ended_at": at(moments + took)}
        moments += took
    state = {
        "env": "local", "run_id": run_id, "status": "completed", "instance_type": "m5.large", "steps": steps,
        "created_at": at(0), "heartbeat_at": at(moments), "training_config": made.run_spec.training,
    }  # fmt: skip
    resume = changes.pop("resume", None)
    put(s3, layout.run_prefix("local", run_id) + "system-state.json", state | changes)
    spec = replace(made.run_spec, run_id=run_id, resume=resume)
    put(s3, spec.key, spec.body())


def test_times_are_the_medians_of_earlier_runs_like_it(tmp_path, account):
    first = make(tmp_path)
    for number, seconds in enumerate((100, 500, 120)):
        past_run(account, f"2026010{number + 1}-010000", first, seconds)
    made = make(tmp_path, {"training": {"seed": 3}, "run": {"max_cost": 5.0}}, price_per_hour=3.6)
    assert made.duration_estimate is not None and made.duration_estimate.runs == 3
    assert made.duration_estimate.phases == {
        "boot": 30, "initialization": 10, "data_sync": 10, "training": 120, "results_sync": 10, "cleanup": 10,
    }  # fmt: skip
    assert made.duration_estimate.total == 190
    assert lines_of(made, "time")[0] == "about 3 min 10 s, the median of the last 3 similar runs"
    assert lines_of(made, "cost")[0] == "expected: $0.19"


def test_runs_that_were_other_work_are_left_out(tmp_path, account):
    first = make(tmp_path)
    other = first.config
    longer = other.model_dump(mode="json")
    longer["training"]["steps"] = 9000
    past_run(account, "20260101-010000", first, 100, status="failed")
    past_run(account, "20260102-010000", first, 100, instance_type="g4dn.2xlarge")
    past_run(account, "20260103-010000", first, 100, training_config=longer)
    past_run(account, "20260104-010000", first, 100, resume=ResumeSpec("20260101-010000", "checkpoints/", 20, ()))
    past_run(account, "20260105-010000", first, 100, created_at="2026-01-06T00:00:00Z")  # a clock that was wrong
    put(account, layout.run_prefix("local", "20260106-010000") + "system-state.json", b"no JSON")
    assert make(tmp_path).duration_estimate is None


def test_every_seed_is_a_training_more_in_time_and_cost(tmp_path, account):
    first = make(tmp_path)
    past_run(account, "20260101-010000", first, 100)
    three = {"evaluation": {"seeds": 3}}
    assert make(tmp_path, three).duration_estimate is None, "how long one training took is not told"
    put(account, layout.run_prefix("local", "20260101-010000") + "model_metadata.json", {"seconds": {"training": 70.0}})
    made = make(tmp_path, three, price_per_hour=3.6)
    assert made.duration_estimate is not None and made.duration_estimate.phases["training"] == 100 + 2 * 70
    told = lines_of(made, "time")
    assert told[0] == "about 5 min 10 s, the last similar run"
    assert told[1] == "with 3 trainings, one for each seed (evaluation.seeds)"
    assert lines_of(made, "cost")[0] == "expected: $0.31"
    short = make(tmp_path, three | {"run": {"max_runtime_hours": 0.06}})
    assert "longer than this limit" in " ".join(lines_of(short, "warning"))


def test_a_run_of_several_seeds_tells_how_long_one_takes(tmp_path, account):
    past_run(account, "20260101-010000", make(tmp_path, {"evaluation": {"seeds": 3}}), 240)
    put(account, layout.run_prefix("local", "20260101-010000") + "model_metadata.json", {"seconds": {"training": 70.0}})
    made = make(tmp_path)
    assert made.duration_estimate is not None and made.duration_estimate.phases["training"] == 100
    assert not any("seed" in text for text in lines_of(made, "time"))


def test_a_limit_that_runs_like_it_did_not_keep_is_warned_of(tmp_path, account):
    past_run(account, "20260101-010000", make(tmp_path), 1000)
    short = make(tmp_path, {"run": {"max_runtime_hours": 0.1}})
    assert "longer than this limit" in " ".join(lines_of(short, "warning"))
    assert "limit" not in " ".join(lines_of(make(tmp_path), "warning"))


def test_what_can_hardly_be_meant_is_said_and_what_cannot_be_is_refused(tmp_path):
    odd = {"run": {"max_runtime_hours": 0.02}, "training": {"cpu_threads": 64}}
    said = " ".join(lines_of(make(tmp_path, odd, instance_types=("m5.large",)), "warning"))
    assert "A limit of 1 min 12 s is short" in said and "64, but m5.large has only 2 vCPUs" in said
    billions = {
        "model": {"context_length": 140, "d_model": 4096, "d_ff": 16384, "num_layers": 24, "num_heads": 64, "d_kv": 64}
    }
    with pytest.raises(ConfigurationError, match=r"training them needs at least .* GB; m5\.large has 9 GB"):
        make(tmp_path, billions, instance_types=("m5.large",), volume_gb=1000)
    with pytest.raises(ConfigurationError, match=r"training\.keep_checkpoints: .* the volume has 20 GB"):
        make(tmp_path, billions, instance_types=("x9.huge",))


def test_the_worst_case_reckons_with_the_dearest_type_and_the_guards(tmp_path):
    made = make(tmp_path, {"run": {"max_runtime_hours": 1}}, instance_types=("g4dn.xlarge", "g4dn.2xlarge"), **TABLE)
    dear = made.prices["g4dn.2xlarge"].total
    assert dear is not None and made.price.total == dear
    assert lines_of(made, "cost")[1] == f"at worst: ${dear * 1.25:.2f}, if the last guard has to end it"


def test_a_cap_becomes_the_deadline_that_the_instance_is_told(tmp_path):
    made = make(tmp_path, {"run": {"max_cost": 2.0}}, instance_types=("g4dn.2xlarge",), **TABLE)
    told = made.instance_run()
    worst = made.price.cost(told["poweroff_minutes"] * 60)
    assert worst is not None and 1.95 < worst <= 2.0
    assert told["deadline_seconds"] == made.deadline_seconds
    assert made.config.run.max_runtime_hours == pytest.approx(made.deadline_seconds / 3600)
    assert made.run_spec.limits == LimitsSpec(made.deadline_seconds, max_cost_usd=2.0, capped=True)
    assert "set by run.max_cost" in " ".join(lines_of(made, "limit"))
    # The limit is what follows from the cap, not a setting of the person's.
    assert not any("max_runtime_hours" in text for text in lines_of(made, "settings"))


def test_a_cap_that_cannot_be_kept_is_refused_before_anything_is_created(tmp_path):
    with pytest.raises(ConfigurationError, match=r"price of x9\.huge is not known"):
        make(tmp_path, {"run": {"max_cost": 2.0}}, instance_types=("m5.large", "x9.huge"), **TABLE)
    with pytest.raises(ConfigurationError, match="too little for a run"):
        make(tmp_path, {"run": {"max_cost": 0.01}}, instance_types=("g4dn.2xlarge",), **TABLE)


def test_prices_that_may_be_wrong_are_said_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(plan_text, "price_table", lambda: price_table() | {"date": "2020-01-01", "region": "eu-west-1"})
    texts = lines_of(make(tmp_path, **TABLE), "warning")
    assert "days old (2020-01-01)" in " ".join(texts) and "is for eu-west-1, but this run is in us-east-1" in " ".join(
        texts
    )
    assert texts[-1].strip().endswith("chronos_training.cli.refresh_prices --region us-east-1")
    # The inventory's own price is not doubted; that the account's one series is little to learn from is.
    assert "prices" not in " ".join(lines_of(make(tmp_path), "warning"))


def test_the_run_spec_keeps_the_price_of_every_type(tmp_path):
    made = make(tmp_path, instance_types=("m5.large", "x9.huge"), **TABLE)
    prices = json.loads(made.run_spec.body())["instance"]["prices_per_hour_usd"]
    assert prices["x9.huge"]["total"] is None
    assert prices["m5.large"] == made.prices["m5.large"].parts()
    assert isinstance(made.prices["m5.large"], HourlyPrice) and prices["m5.large"]["total"] > 0


def test_the_root_device_is_the_images_own(tmp_path):
    for device in ("/dev/xvda", "/dev/sda1"):
        named = boto3.client("ec2").describe_images(Filters=[{"Name": "root-device-name", "Values": [device]}])[
            "Images"
        ][0]
        plan_account.name_image(named["ImageId"])
        made = make(tmp_path)
        assert made.order()["root_device"] == device
        assert made.run_spec.instance.image == ImageSpec(named["ImageId"], named["Name"])
        assert named["ImageId"] in " ".join(lines_of(made, "image"))


def test_a_volume_smaller_than_the_images_snapshot_is_refused_before_anything_is_created(tmp_path):
    with pytest.raises(ConfigurationError) as error:
        make(tmp_path, volume_gb=14)
    assert "training_launch_volume_gb is 14, and the machine image ami-" in str(error.value)
    assert "itself needs at least 15 GB" in str(error.value)
    assert "Set training_launch_volume_gb to 15 or more" in str(error.value)
    assert make(tmp_path, volume_gb=15).run_spec.instance.volume_gb == 15


def test_an_image_that_is_gone_is_a_sentence(tmp_path):
    plan_account.name_image("ami-0123456789abcdef0")
    with pytest.raises(TrainingError, match="describe the machine image ami-0123456789abcdef0, which /image names"):
        make(tmp_path)
