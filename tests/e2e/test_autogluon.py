"""AutoGluon through the playbooks: refused without its environment, then a whole run that starts from an earlier run's Chronos."""

from __future__ import annotations

import pytest


def ended(account) -> str:
    """Follow the run to its end, and return its id."""
    run_id = account.state()["run_id"]
    account.play("monitor_training", training_monitor_interval=1).succeeded()
    return run_id


@pytest.mark.long
def test_from_a_chronos_run_to_an_autogluon_run(operator, config):
    few = {"windows": 2, "report_series": 2, "baselines": ["zero_shot"]}
    refused = operator.play("launch_training", training_launch_config="autogluon_tiny_cpu").failed().output
    assert "No environment of kind autogluon is published" in refused
    assert "make runtime ARGS='-e training_runtime_kind=autogluon'" in refused
    assert operator.state() is None and operator.live_instances() == []
    operator.play("publish_runtime", training_runtime_kind="autogluon").succeeded()
    assert "runtime/python-env/autogluon.json" in operator.keys("runtime/python-env/")

    steps = {"steps": 20, "warmup_steps": 5, "checkpoint_every_steps": 20}
    operator.play("launch_training", training_launch_config_file=config(training=steps, evaluation=few)).succeeded()
    first = ended(operator)

    mine = config(
        training={},
        model={"initialization": "pretrained", "base_run": first},
        autogluon={"models": ["SeasonalNaive", "Naive"], "fine_tune_steps": 5, "fine_tune_context_length": 378},
        evaluation=few,
    )
    launched = operator.play(
        "launch_training", training_launch_config="autogluon_tiny_cpu", training_launch_config_file=mine
    ).succeeded()
    assert f"starts from  the model of run {first}: chronos2" in launched.output
    second = ended(operator)
    assert operator.artifact(second, "system-state.json")["status"] == "completed"
    files = operator.run_files(second)
    assert {
        "report.html", "model_metadata.json", "training.json", "evaluation/metrics.json",
        "models/autogluon-tiny/predictor.pkl", "models/autogluon-tiny-chronos/model.safetensors",
    } <= files  # fmt: skip
    about = operator.artifact(second, "model_metadata.json")
    assert about["lineage"]["parent_run_id"] == first
    assert about["versions"]["autogluon"] and "zero_shot" in about["validation"]["verdicts"]
    assert {row["model"] for row in about["model"]["autogluon"]["leaderboard"]} >= {
        "SeasonalNaive",
        "Chronos2FineTuned",
    }
    kinds = {run: operator.artifact(run, "run_spec.json")["runtime"]["python_env_sha256"] for run in (first, second)}
    assert kinds[first] != kinds[second]
