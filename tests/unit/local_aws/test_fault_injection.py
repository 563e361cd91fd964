"""Injected faults as they are typed: `python -m local_aws start --set end_seconds=420`."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws import fault_injection
from local_aws.fault_injection import InjectedFaults, with_settings
from local_aws.home import Home, LocalAwsError


def test_settings_are_added_to_the_faults_that_are_set_already() -> None:
    faults = with_settings(
        InjectedFaults(metadata_down=True), ["end_seconds=420", 'quotas={"L-DB2E81BA": 8}', "disk_bytes=null"]
    )
    assert (faults.end_seconds, faults.quotas, faults.metadata_down) == (420, {"L-DB2E81BA": 8}, True)
    assert with_settings(faults, ["end_seconds=0"]).end_seconds == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("end_second=420", "There is no setting 'end_second'; there are disk_bytes"),
        ("end_seconds=soon", "end_seconds=soon: this setting takes a number"),
        ("end_seconds", "this setting takes a number"),
        ("end_seconds=true", "this setting takes a number"),
        ("metadata_down=1", "this setting takes true or false"),
    ],
)
def test_what_is_no_setting_is_refused(setting: str, words: str) -> None:
    with pytest.raises(LocalAwsError, match=words):
        with_settings(InjectedFaults(), [setting])


def test_only_what_changes_anything_is_shown(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert fault_injection.unusual(home) == {}
    fault_injection.write(home, InjectedFaults(end_seconds=420))
    assert fault_injection.unusual(home) == {"end_seconds": 420}
    (tmp_path / fault_injection.FILE).write_text(
        '{"end_seconds": 7}'
    )  # of an older version: the rest is as it should be
    assert fault_injection.read(home) == InjectedFaults(end_seconds=7)
