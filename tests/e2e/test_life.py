"""A whole run through the playbooks, looked at from everywhere a person would look."""

from __future__ import annotations

import getpass
import hashlib
import json
import re

import jsonschema
import pytest
import yaml

from chronos_training.base_models import described
from chronos_training.core.run_records import RECORDS, file_name, schema

from .operator import Operator, eventually


@pytest.fixture(scope="module")
def finished(account, tmp_path_factory):
    """One run with the default configuration, followed to its end; what was seen on the way."""
    seen = {"launch": account.play("launch_training").succeeded().output}
    run_id = account.state()["run_id"]
    eventually(lambda: (account.state() or {}).get("current_step") == "training", "the training step")
    before = account.state()
    seen["second"] = account.play("launch_training").failed().output
    after = account.state()
    seen["same"] = (before["run_id"], before["instance_id"]) == (after["run_id"], after["instance_id"])
    seen["instances"] = account.live_instances()
    schedules = account.aws.client("scheduler")
    seen["guards"] = [s["Name"] for s in schedules.list_schedules(GroupName="chronos-training-local")["Schedules"]]
    seen["graph"] = account.command("ansible-inventory", "--graph").succeeded().output
    seen["verify_during"] = account.play("verify_cleanup").succeeded().output
    seen["monitor"] = account.play("monitor_training", training_monitor_interval=1).succeeded().output
    eventually(lambda: account.live_instances() == [], "the end of the instance")
    seen["verify"] = account.play("verify_cleanup").succeeded().output
    folder = tmp_path_factory.mktemp("results")
    seen["fetch"] = account.play("fetch_run", training_results_folder=str(folder)).succeeded().output
    seen["folder"] = folder / "local" / run_id
    seen["refetch"] = account.play("fetch_run", training_results_folder=str(folder)).succeeded().output
    return run_id, seen


def test_a_second_launch_is_refused_and_names_the_run(finished):
    run_id, seen = finished
    assert f"Run {run_id} is active in local: step training for" in seen["second"]
    assert f"instance {seen['instances'][0]} is running" in seen["second"]
    assert "make kill" in seen["second"]
    assert seen["same"]
    assert len(seen["instances"]) == 1


def test_an_outside_guard_is_armed_and_the_instance_takes_it_away(finished, account):
    run_id, seen = finished
    assert f"termination schedule created: terminates {seen['instances'][0]} at " in seen["launch"]
    assert seen["guards"] == [f"chronos-training-local-{run_id}"]
    listed = account.aws.client("scheduler").list_schedules(GroupName="chronos-training-local")["Schedules"]
    assert listed == []
    assert "delete the termination schedule" not in account.log(run_id, "pipeline")


def test_the_inventory_groups_the_instance(finished):
    run_id, seen = finished
    for group in ("env_local", f"run_{run_id.replace('-', '_')}", "state_running"):
        assert f"@{group}:" in seen["graph"]


def test_verify_during_a_run_finds_no_orphan(finished):
    run_id, seen = finished
    assert f"clean: run {run_id} is active, no orphans" in seen["verify_during"]


def test_monitor_shows_the_steps_and_the_end(finished):
    run_id, seen = finished
    assert "3/5 training" in seen["monitor"]
    assert "samples/s" in seen["monitor"]
    assert f"run {run_id}: completed" in seen["monitor"]


def test_the_state_is_archived_and_gone(finished, account):
    run_id, _ = finished
    assert account.state() is None
    archived = account.artifact(run_id, "system-state.json")
    assert archived["status"] == "completed"
    assert list(archived["steps"]) == ["initialization", "data_sync", "training", "results_sync", "cleanup"]
    assert all({"started_at", "ended_at"} <= set(times) for times in archived["steps"].values())
    eventually(lambda: account.live_instances() == [], "the end of the instance")


def test_every_artifact_is_what_training_json_says(finished, account):
    run_id, _ = finished
    training = account.artifact(run_id, "training.json")
    names = {artifact["path"] for artifact in training["artifacts"]}
    assert {"report.html", "model_metadata.json", "evaluation/metrics.json"} <= names
    assert any(name.startswith("models/birthdays-tiny-cpu/") for name in names)
    prefix = f"local/runs/{run_id[:4]}/{run_id[4:6]}/{run_id[6:]}/"
    for artifact in training["artifacts"]:
        body = account.s3.get_object(Bucket=account.bucket, Key=prefix + artifact["path"])["Body"].read()
        assert hashlib.sha256(body).hexdigest() == artifact["sha256"]
    assert "_SUCCESS" in account.run_files(run_id)


def test_the_model_beats_seasonal_naive(finished, account):
    run_id, _ = finished
    metrics = account.artifact(run_id, "model_metadata.json")["metrics"]
    assert metrics["wql"] < metrics["seasonal_naive"]["wql"]


def test_cleanup_status_has_the_inventory_before_and_after(finished, account):
    run_id, _ = finished
    status = account.artifact(run_id, "cleanup_status.json")
    assert {r["kind"] for r in status["before"]["resources"]} == {"instance", "volume", "network interface"}
    assert (status["status"], status["after"]["resources"]) == ("clean", [])


def test_the_records_of_its_phases_fit_their_schemas(finished, account):
    run_id, seen = finished
    found = {record: account.artifact(run_id, file_name(record)) for record in RECORDS}
    for record, content in found.items():
        jsonschema.Draft202012Validator(schema(record)).validate(content)
    assert found["preflight"]["environment"]["torch"].startswith("2.")
    assert found["data_sync"]["dataset"]["files"] == 240
    assert found["results_sync"]["artifacts"] == found["training"]["artifacts"]
    assert {file_name(record) for record in RECORDS} <= {path.name for path in seen["folder"].iterdir()}


def test_the_audit_log_tells_of_the_launches(finished, account):
    run_id, seen = finished
    assert "audit log" not in seen["launch"]  # nothing to warn of: the operator's policy allows it
    lines = account.play("list_audit").succeeded().output.splitlines()
    (launched,) = [line for line in lines if run_id in line and " launch " in line and " succeeded " in line]
    assert f" {getpass.getuser()}@" in launched
    assert any(f"Run {run_id} is active in local" in line for line in lines)  # the second one, refused
    published = "\n".join(line for line in lines if " publish " in line)
    assert "runtime chronos" in published and "dataset birthdays" in published


def test_fetched_files_are_there_and_not_fetched_twice(finished):
    _, seen = finished
    assert (seen["folder"] / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")
    assert (seen["folder"] / "logs/training.log").exists()
    assert "would have cost $" in seen["fetch"]
    assert ", 0 of them new" in seen["refetch"]


def test_logs_are_in_s3(finished, account):
    run_id, _ = finished
    assert "step results_sync" in account.log(run_id, "pipeline")
    assert "saved checkpoint" in account.log(run_id, "training")


@pytest.mark.usefixtures("finished")
def test_the_aws_cli_sees_plain_objects_and_tags(account):
    listed = account.command("aws", "s3", "ls", "--recursive", f"s3://{account.bucket}/local/").succeeded().output
    assert "report.html" in listed
    described = account.command("aws", "ec2", "describe-instances", "--output", "json").succeeded().output
    instances = [i for r in json.loads(described)["Reservations"] for i in r["Instances"]]
    tags = {
        tag["Key"]: tag["Value"] for i in instances for tag in i.get("Tags", []) if i["State"]["Name"] == "terminated"
    }
    assert {"Project": "Chronos-Training", "Environment": "local", "ManagedBy": "Ansible"}.items() <= tags.items()


def test_list_runs_has_it(finished, account):
    run_id, _ = finished
    line = next(line for line in account.play("list_runs").succeeded().output.splitlines() if run_id in line)
    assert "completed" in line and line.endswith("  latest birthdays-tiny-cpu")


def test_monitor_of_a_past_run_reads_the_archive(finished, account):
    run_id, _ = finished
    assert "completed" in account.play("monitor_training", training_monitor_run_id=run_id).succeeded().output


def test_a_person_who_only_watches_sees_everything_and_changes_nothing(finished, account):
    run_id, _ = finished
    watcher = Operator(account.aws)
    watcher.become("monitor")
    assert "completed" in watcher.play("monitor_training", training_monitor_run_id=run_id).succeeded().output
    assert run_id in watcher.play("list_runs").succeeded().output
    assert run_id in watcher.play("list_audit").succeeded().output
    watcher.play("verify_cleanup").succeeded()
    refused = watcher.play("launch_training").failed().output
    assert "no identity-based policy allows the s3:GetObject action" in refused and "Traceback" not in refused
    assert account.state() is None and account.live_instances() == []


def test_a_run_starts_from_what_another_has_trained(finished, account, tmp_path):
    run_id, seen = finished
    model = {
        "training_model_name": "births",
        "training_model_source": str(seen["folder"] / "models/birthdays-tiny-cpu"),
    }
    check = account.play("publish_model", flags=("--check",), **model).succeeded().output
    assert "would be uploaded" in check
    assert "uploaded to s3://" in account.play("publish_model", **model).succeeded().output
    assert "births: already published (chronos2" in account.play("publish_model", **model).succeeded().output
    training = {"steps": 20, "warmup_steps": 5, "learning_rate": 1e-4, "log_every_steps": 5}
    config = {
        "model": {"initialization": "pretrained", "base": "births"},
        "training": training,
        "evaluation": {"baselines": ["naive"]},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    path = {"training_launch_config_file": str(tmp_path / "mine.yaml")}
    assert "starts from  births: chronos2" in account.play("launch_training", **path).succeeded().output
    state = account.state()
    assert "completed" in account.play("monitor_training", training_monitor_interval=1).succeeded().output
    eventually(lambda: account.live_instances() == [], "the end of the instance")
    about = account.artifact(state["run_id"], "model_metadata.json")
    published = account.s3.get_object(Bucket=account.bucket, Key="runtime/models/births/current.json")["Body"].read()
    assert about["lineage"]["base_model"]["digest"] == json.loads(published)["digest"]
    # 20 careful steps from there are as good as the 1200 that led there; from random weights they are worthless.
    before = account.artifact(run_id, "model_metadata.json")["metrics"]
    assert about["metrics"]["wql"] < 1.1 * before["wql"] < about["metrics"]["seasonal_naive"]["wql"]


@pytest.mark.long  # tests/training/test_base_models.py trains from it
@pytest.mark.usefixtures("finished")
def test_a_run_starts_from_a_model_that_comes_with_the_package(account, config):
    name = "builtin:chronos-2-small"
    path = config(
        name="births-from-base",  # not the latest model of the default's name, from which the next test starts
        model={"initialization": "pretrained", "base": name, "patch_size": 8, "context_length": 256},
        training={"steps": 20, "warmup_steps": 5, "learning_rate": 1e-4, "log_every_steps": 5},
        evaluation={"windows": 2, "baselines": ["zero_shot"]},
    )
    launched = account.play("launch_training", training_launch_config_file=path).succeeded().output
    assert f"starts from  {name}, which comes with this" in launched
    state = account.state()
    assert "completed" in account.play("monitor_training", training_monitor_interval=1).succeeded().output
    eventually(lambda: account.live_instances() == [], "the end of the instance")
    about = account.artifact(state["run_id"], "model_metadata.json")
    assert about["lineage"]["base_model"]["digest"] == described(name)["digest"]
    assert about["metrics"]["zero_shot"]["wql"] < about["metrics"]["seasonal_naive"]["wql"]  # untrained, on births


def latest_run(account):
    lines = account.play("list_runs").succeeded().output.splitlines()
    (line,) = [line for line in lines if line.endswith("  latest birthdays-tiny-cpu")]
    return re.search(r"\d{8}-\d{6}", line)[0]


@pytest.mark.usefixtures("finished")
def test_a_run_goes_on_from_the_latest_model_and_is_offered_only_if_it_is_better(account, tmp_path):
    run_id = latest_run(account)
    training = {"steps": 20, "warmup_steps": 5, "learning_rate": 1e-4, "log_every_steps": 5}
    model = {"initialization": "pretrained", "base_run": "latest"}
    evaluation = {"baselines": ["zero_shot"], "publish_if": "better_than_zero_shot"}
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump({"model": model, "training": training, "evaluation": evaluation})
    )
    path = {"training_launch_config_file": str(tmp_path / "mine.yaml")}
    assert f"starts from  the model of run {run_id}" in account.play("launch_training", **path).succeeded().output
    state = account.state()
    assert "completed" in account.play("monitor_training", training_monitor_interval=1).succeeded().output
    eventually(lambda: account.live_instances() == [], "the end of the instance")
    about = account.artifact(state["run_id"], "model_metadata.json")
    assert about["lineage"]["parent_run_id"] == run_id
    # Zero-shot is the earlier model itself, scored on the same windows.
    before = account.artifact(run_id, "model_metadata.json")["metrics"]
    assert about["metrics"]["zero_shot"]["wql"] == before["wql"]
    decided = about["validation"]["publish"]
    assert decided["condition"] == "better_than_zero_shot"
    assert latest_run(account) == (state["run_id"] if decided["met"] else run_id)
    assert about["configuration"]["model"]["base_run"] == run_id
    missing = {"model": {"initialization": "pretrained", "base_run": "20200101-000000"}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(missing))
    refused = account.play("launch_training", **path).failed().output
    assert "run 20200101-000000 of local has no finished model" in refused and "Traceback" not in refused


def test_a_base_model_that_is_not_published_is_refused(account, config):
    path = config(model={"initialization": "pretrained", "base": "huge"})
    refused = account.play("launch_training", training_launch_config_file=path).failed().output
    assert "model.base: 'huge' is not published" in refused
    assert account.state() is None
