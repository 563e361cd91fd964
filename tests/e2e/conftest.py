"""One embedded account for all end-to-end tests: provisioned and published once, through the playbooks."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from local_aws.testing import EmbeddedAws

from .operator import Operator


@pytest.fixture(scope="session")
def account(tmp_path_factory):
    """Return the operator of a provisioned account with a published runtime and dataset."""
    server = EmbeddedAws(tmp_path_factory.mktemp("account") / "home")
    operator = Operator(server)
    operator.play("provision_infrastructure").succeeded()
    # Everything else is done with the policy of its task alone; what that does not allow fails here or in a test.
    operator.become("operator", "publisher")
    operator.play("publish_runtime", "publish_dataset").succeeded()
    yield operator
    server.stop()


@pytest.fixture
def operator(account):
    """Return the operator, with nothing running before and nothing left after the test."""
    assert account.state() is None
    yield account
    account.play("kill_training", training_kill_force=True)
    assert account.live_instances() == []


@pytest.fixture
def config(tmp_path):
    """Return a function that writes a user's configuration file.

    Unless told otherwise: few steps, one thread, and the rivals that cost no time (fitting AutoETS and AutoTheta imports for
    longer than such a run trains; the run of test_life and the quickstart's have them all).
    """

    def write(**sections) -> str:
        content = {"training": {"steps": 60, "warmup_steps": 10, "checkpoint_every_steps": 20}, **sections}
        content["training"] = {"cpu_threads": 1, **content["training"]}
        content["evaluation"] = {"baselines": ["naive"], **content.get("evaluation", {})}
        path = Path(tmp_path) / "mine.yaml"
        path.write_text(yaml.safe_dump(content))
        return str(path)

    return write
