"""make doctor PROBE=yes, by a person with the operator's policy alone: an instance that tells what it is, and is gone after."""

from __future__ import annotations

import re

import jsonschema

from chronos_training.core.run_records import DATA_SYNC, PREFLIGHT, RECORDS, TRAINING, file_name, schema


def test_a_probe_tells_what_its_machine_is_and_leaves_nothing(operator):
    shown = operator.play("check_account", "probe_instance").succeeded().output
    assert "nothing that was seen would stop a launch" in shown
    before, after = shown.split("instance i-", 1)
    assert "at worst: $0.00, if the last guard has to end it" in before
    run_id = re.search(r"run (\d{8}-\d{6}): completed", after)[1]

    found = operator.artifact(run_id, "probe.json")
    facts, missing = found["facts"], found["missing"]
    assert facts["python"]["of this run"] and facts["mounts"] and facts["memory_bytes"]["MemTotal"] > 0
    assert set(facts["file_systems"]) == {"squashfs", "erofs", "overlay"}
    assert missing["gpu"] == "nvidia-smi is not installed"
    assert set(facts["torch"]["steps"]) == {"chronos2", "chronos_bolt", "chronos_t5"}
    assert all(step["loss"] > 0 for step in facts["torch"]["steps"].values())
    assert f"missing       gpu: {missing['gpu']}" in after and "fp32 step     chronos2: loss" in after
    assert operator.artifact(run_id, "termination.json")["seconds_to_terminated"] >= 0

    # It checks nothing and fetches nothing, so there is no record of that.
    files = operator.run_files(run_id)
    assert {file_name(one) for one in RECORDS} - files == {file_name(PREFLIGHT), file_name(DATA_SYNC)}
    jsonschema.validate(operator.artifact(run_id, file_name(TRAINING)), schema(TRAINING))
    assert "clean: nothing is running" in operator.play("verify_cleanup", "list_runs").succeeded().output
