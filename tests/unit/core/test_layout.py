from datetime import datetime, timezone

import pytest

from chronos_training.core import layout


def test_a_run_id_and_its_prefix_go_both_ways():
    run_id = layout.new_run_id(datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc))
    prefix = layout.run_prefix("dev", run_id)
    assert (run_id, prefix) == ("20260304-050607", "dev/runs/2026/03/04-050607/")
    assert layout.run_id_of("dev", prefix + "models/x") == run_id
    assert layout.run_id_of("stage", prefix) is None


@pytest.mark.parametrize("bad", ["", "2026", "20260304-05060", "../../x", "20260304-050607/.."])
def test_what_is_no_run_id_gives_no_prefix(bad):
    with pytest.raises(ValueError, match="not a run id"):
        layout.run_prefix("dev", bad)
