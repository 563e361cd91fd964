"""What a probe's facts look like, and the wait for an instance that takes its time to go."""

from __future__ import annotations

from typing import Any

import pytest

from chronos_training.control.lifecycle import probe_report
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import Instance

FOUND: dict[str, Any] = {
    "facts": {
        "system": "Ubuntu 22.04.5 LTS",
        "kernel": "6.8.0-1021-aws",
        "python": {"of this run": "3.10.12"},
        "cpus": 8,
        "memory_bytes": {"MemTotal": 33_000_000_000},
        "mounts": ["/dev/mapper/vg-lv /opt/dlami/nvme ext4 rw,noatime"],
        "dlami_nvme": {"LoadState": "loaded", "ActiveState": "active", "SubState": "exited"},
        "gpu": {"first_seconds": 3.21, "nvidia_smi": "…"},
        "torch": {
            "torch": "2.13.0+cu130",
            "architectures": ["sm_75", "sm_80"],
            "card": "Tesla T4",
            "capability": [7, 5],
            "step_precision": "fp16",
            "steps": {"chronos2": {"loss": 1.5, "seconds": 0.5}, "chronos_t5": {"error": "RuntimeError: no"}},
        },
    },
    "missing": {"zstd": "zstd is not installed"},
}


def test_the_facts_are_a_short_table_and_the_missing_ones_have_their_reason():
    assert probe_report.lines(FOUND) == [
        "system        Ubuntu 22.04.5 LTS, kernel 6.8.0-1021-aws",
        "python        3.10.12 (of this run)",
        "machine       8 CPUs, 33.0 GB of memory",
        "mount         /opt/dlami/nvme: ext4 on /dev/mapper/vg-lv",
        "dlami-nvme    loaded, active, exited",
        "nvidia-smi    first answer after 3.2 s",
        "torch         2.13.0+cu130, Tesla T4, capability 7.5, sm_75 sm_80",
        "fp16 step     chronos2: loss 1.5 in 0.5 s",
        "fp16 step     chronos_t5: RuntimeError: no",
        "missing       zstd: zstd is not installed",
    ]


def test_the_wait_for_a_slow_end_says_what_it_waits_for(monkeypatch):
    now, said = [0.0], []
    monkeypatch.setattr(probe_report.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(
        probe_report,
        "find_instances",
        lambda *_, **__: [
            Instance("i-1", "terminated" if now[0] >= 420 else "shutting-down", "r", "g4dn.xlarge", "z", "t")
        ],
    )

    def sleep(seconds: float) -> None:
        now[0] += seconds

    arguments = (None, "Chronos-Training", "dev", "20260101-120000")
    assert probe_report.wait_until_terminated(*arguments, 900, said.append, sleep=sleep) == 420
    assert said[0] == "waiting up to 15 min for EC2 to end i-1 (shutting-down): 0 s so far"
    assert 7 <= len(said) <= 8
    now[0] = 0.0
    with pytest.raises(TrainingError, match=r"Not terminated \d+ s after the run's end: i-1 \(shutting-down\)"):
        probe_report.wait_until_terminated(*arguments, 60, said.append, sleep=sleep)
