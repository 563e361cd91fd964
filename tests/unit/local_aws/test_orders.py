"""Orders as they are typed: `python -m local_aws start --set end_seconds=420`."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws import orders
from local_aws.home import Home, LocalAwsError
from local_aws.orders import Orders, with_settings


def test_settings_lie_over_what_is_ordered_already() -> None:
    ordered = with_settings(
        Orders(metadata_down=True), ["end_seconds=420", 'quotas={"L-DB2E81BA": 8}', "disk_bytes=null"]
    )
    assert (ordered.end_seconds, ordered.quotas, ordered.metadata_down) == (420, {"L-DB2E81BA": 8}, True)
    assert with_settings(ordered, ["end_seconds=0"]).end_seconds == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("end_second=420", "There is no order 'end_second'; there are disk_bytes"),
        ("end_seconds=soon", "end_seconds=soon: this order takes a number"),
        ("end_seconds", "this order takes a number"),
        ("end_seconds=true", "this order takes a number"),
        ("metadata_down=1", "this order takes true or false"),
    ],
)
def test_what_is_no_order_is_refused(setting: str, words: str) -> None:
    with pytest.raises(LocalAwsError, match=words):
        with_settings(Orders(), [setting])


def test_only_what_changes_anything_is_shown(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert orders.unusual(home) == {}
    orders.give(home, Orders(end_seconds=420))
    assert orders.unusual(home) == {"end_seconds": 420}
    (tmp_path / orders.FILE).write_text('{"end_seconds": 7}')  # of an older version: the rest is as it should be
    assert orders.read(home) == Orders(end_seconds=7)
