"""Each failed check says what is wrong and what to change (R13). The programs asked are real files on the PATH."""

from __future__ import annotations

import pytest

from chronos_training.agent import preflight
from chronos_training.agent.preflight import check_machine
from chronos_training.core.errors import TrainingError

T4 = "Tesla T4, {driver}, 15360 MiB"


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Return a function that installs an nvidia-smi with these shell commands."""

    def install(script: str) -> None:
        program = tmp_path / "bin/nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return install


def check(tmp_path, device="cuda", torch="2.13.0+cu126", needed=1000, left=3600.0):
    return check_machine(device, torch, needed, tmp_path / "work", left)


def refused(tmp_path, *words, **arguments):
    with pytest.raises(TrainingError) as caught:
        check(tmp_path, **arguments)
    for word in ("Preflight:", *words):
        assert word in str(caught.value)
    assert caught.value.hint


def test_a_machine_that_fits(tmp_path, nvidia_smi):
    nvidia_smi(f"echo '{T4.format(driver='550.163.01')}'")
    assert check(tmp_path)["gpu"] == "Tesla T4, 550.163.01, 15360 MiB"
    assert check(tmp_path, device="cpu", torch="2.13.0+cpu")["open_files"] >= preflight.OPEN_FILES


@pytest.mark.parametrize(
    ("torch", "driver", "oldest"), [("2.13.0+cu130", "550.163.01", 580), ("2.7.0+cu118", "440.33", 450)]
)
def test_a_driver_that_is_older_than_the_build_needs(tmp_path, nvidia_smi, torch, driver, oldest):
    nvidia_smi(f"echo '{T4.format(driver=driver)}'")
    refused(tmp_path, torch, f"driver {oldest} or newer", driver, "training_launch_image_parameter", torch=torch)


def test_a_driver_that_is_old_for_an_older_cuda_is_taken(tmp_path, nvidia_smi):
    nvidia_smi(f"echo '{T4.format(driver='525.60.13')}'")
    assert check(tmp_path, torch="2.13.0+cu129")


def test_a_cpu_build_on_a_gpu_run(tmp_path, nvidia_smi):
    nvidia_smi(f"echo '{T4.format(driver='580.1')}'")
    refused(tmp_path, "CPU build", "make runtime ARGS='-e training_runtime_torch=cuda'", torch="2.13.0+cpu")


def test_no_nvidia_smi(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(tmp_path, "nvidia-smi does not work", "training_launch_device=cpu")


def test_a_driver_that_is_not_loaded(tmp_path, nvidia_smi):
    nvidia_smi("echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver'; exit 9")
    refused(tmp_path, "exit code 9", "could not communicate")


def test_a_gpu_that_does_not_answer(tmp_path, nvidia_smi, monkeypatch):
    monkeypatch.setattr(preflight, "NVIDIA_SECONDS", 0.2)
    nvidia_smi("exec sleep 60")
    refused(tmp_path, "no answer")


def test_a_driver_without_a_gpu(tmp_path, nvidia_smi):
    nvidia_smi("true")
    refused(tmp_path, "lists no GPU")


def test_a_disk_that_is_too_small(tmp_path):
    refused(tmp_path, "GB free", "training_launch_volume_gb", device="cpu", torch="2.13.0+cpu", needed=1 << 60)


def test_a_limit_that_is_over_before_it_began(tmp_path):
    refused(tmp_path, "are left", "max_runtime_hours", device="cpu", left=3.0)


def test_too_few_open_files(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight.resource, "getrlimit", lambda which: (1024, 1024))
    monkeypatch.setattr(preflight.resource, "setrlimit", lambda which, limits: None)
    refused(tmp_path, "open files is 1024", "LimitNOFILE", device="cpu")
