"""What the training lock holds for a target."""

from pathlib import Path

import pytest

from chronos_training.control.publish import locked
from chronos_training.core.errors import TrainingError

TRAINING = Path(__file__).resolve().parents[4] / "training"


def names(**arguments):
    return {pin.name: pin.version for pin in locked.pins(TRAINING / "poetry.lock", **arguments)}


@pytest.mark.parametrize("python", ["3.11.13", "3.12.1", "3.13.0"])
def test_an_instance_gets_the_whole_cuda_stack_one_version_of_each(python):
    found = names(extras=("cuda", "stack"), environment=locked.linux_x86_64(python))
    assert found["torch"] == "2.13.0"
    assert {"nvidia-cublas", "nvidia-cudnn-cu13", "triton", "boto3", "chronos-forecasting"} <= set(found)


def test_the_second_kind_of_environment_is_the_first_and_autogluon():
    first, second = (
        names(extras=extras, environment=locked.linux_x86_64("3.11.13"))
        for extras in (("cuda", "stack"), ("autogluon", "cuda", "stack"))
    )
    assert second["autogluon-timeseries"] == "1.6.3" and "autogluon-timeseries" not in first
    assert first.items() <= second.items()


def test_every_pin_has_hashes():
    pins = locked.pins(TRAINING / "poetry.lock", extras=("cuda", "stack"), environment=locked.linux_x86_64("3.11.13"))
    assert all(pin.hashes and all(value.startswith("sha256:") for value in pin.hashes) for pin in pins)


def test_without_extras_only_what_the_core_needs():
    found = names(extras=(), environment=locked.linux_x86_64("3.10.12"))
    assert set(found) == {"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"}


def test_a_mac_gets_no_cuda():
    mac = {
        **locked.linux_x86_64("3.11.9"),
        "sys_platform": "darwin",
        "platform_system": "Darwin",
        "platform_machine": "arm64",
    }
    found = names(extras=("stack",), environment=mac)
    assert "torch" in found
    assert not [name for name in found if name.startswith(("nvidia", "cuda", "triton"))]


def test_two_versions_for_one_target_are_refused(tmp_path):
    lock = tmp_path / "poetry.lock"
    entry = '[[package]]\nname = "a"\nversion = "%s"\ngroups = ["main"]\nfiles = []\n'
    lock.write_text(entry % "1.0" + entry % "2.0")
    with pytest.raises(TrainingError, match=r"has both a 1\.0 and 2\.0 for the same target"):
        locked.pins(lock, extras=(), environment=locked.this_machine())


def test_a_missing_or_broken_lock_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"poetry\.lock does not exist"):
        locked.pins(tmp_path / "poetry.lock", extras=(), environment={})
    (tmp_path / "poetry.lock").write_text("<<<<<<< ours")
    with pytest.raises(TrainingError, match="not readable as TOML"):
        locked.pins(tmp_path / "poetry.lock", extras=(), environment={})


def test_an_unknown_extra_is_named():
    with pytest.raises(TrainingError, match="no extra 'autogloun'"):
        locked.requirements(TRAINING / "pyproject.toml", extras=("autogloun",))
