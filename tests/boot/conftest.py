"""A whole life at level namespace, through the playbooks, whose user data the other levels boot again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from local_aws.levels.base import Level
from local_aws.levels.namespace import Namespace
from local_aws.levels.nspawn import Nspawn
from local_aws.testing import EmbeddedAws
from tests.boot.replay import Recorded, record
from tests.e2e.operator import Operator

# Small, because the emulated processor of level qemu takes 44 s for a step that takes 20 ms here.
SHORT = {
    "model": {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2},
    "training": {"steps": 6, "batch_size": 4, "warmup_steps": 2, "checkpoint_every_steps": 3},
    "evaluation": {"windows": 1},
}


def need(level: Level) -> None:
    """Skip the test on a computer where the level does not work."""
    reason = level.reason_not_to()
    if reason:
        pytest.skip(f"level {level.name}: {reason}")


@dataclass(frozen=True)
class Life:
    """What was printed and recorded of one whole life."""

    said: dict[str, str]
    recorded: Recorded


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Provision, publish, launch, monitor, verify, as the operator and with instances of level namespace."""
    need(Namespace())
    operator = Operator(EmbeddedAws(tmp_path_factory.mktemp("namespace") / "home", "namespace"))
    try:
        operator.play("provision_infrastructure").succeeded()
        operator.become("operator", "publisher")
        operator.play("publish_runtime", "publish_dataset").succeeded()
        config = tmp_path_factory.mktemp("config") / "short.yaml"
        config.write_text(yaml.safe_dump(SHORT))
        said = {"launch": operator.play("launch_training", training_launch_config_file=str(config)).succeeded().output}
        state = operator.state()
        assert state is not None
        said["monitor"] = operator.play("monitor_training", training_monitor_interval=1).succeeded().output
        operator.aws.wait_for_state(state["instance_id"], "terminated")
        said["verify"] = operator.play("verify_cleanup").succeeded().output
        yield Life(said, record(operator, state["run_id"], state["instance_id"]))
    finally:
        operator.aws.stop()


@pytest.fixture(scope="session")
def nspawn_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An account that is provisioned and published, with instances of level nspawn."""
    need(Nspawn())
    operator = Operator(EmbeddedAws(tmp_path_factory.mktemp("nspawn") / "home", "nspawn"))
    try:
        operator.play("provision_infrastructure").succeeded()
        operator.become("operator", "publisher")
        operator.play("publish_runtime", "publish_dataset").succeeded()
        yield operator
    finally:
        operator.aws.stop()
