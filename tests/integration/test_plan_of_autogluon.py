"""A launch plan takes the environment that the configuration's family needs, and refuses before anything is created."""

from __future__ import annotations

import pytest

from chronos_training.core.errors import ConfigurationError, TrainingError
from tests.integration import plan_account
from tests.integration.plan_account import BUCKET as BUCKET
from tests.integration.plan_account import make_account, pointer, put


@pytest.fixture
def account(s3, tmp_path):
    make_account(s3, tmp_path)
    return s3


def plan(tmp_path, config="autogluon_tiny_cpu", resume_run=None, **sections):
    return plan_account.plan(tmp_path, config, sections, resume_run=resume_run)


def test_without_its_environment_it_is_refused_with_the_command(account, tmp_path):
    with pytest.raises(TrainingError) as caught:
        plan(tmp_path)
    assert "No environment of kind autogluon is published" in str(caught.value)
    assert "make runtime ARGS='-e training_runtime_kind=autogluon'" in str(caught.value)


def test_each_family_gets_the_environment_that_it_needs(account, tmp_path):
    put(account, "runtime/python-env/autogluon.json", pointer("autogluon"))
    for config, kind in (("autogluon_tiny_cpu", "autogluon"), ("birthdays_tiny_cpu", "chronos")):
        short = {} if kind == "autogluon" else {"model": {"context_length": 28}}
        made = plan(tmp_path, config, forecast={"prediction_length": 7}, **short)
        assert made.run_spec.runtime.python_env_sha256 == kind[0] * 64


def test_chronos_inside_comes_from_published_weights_of_any_family(account, tmp_path):
    put(account, "runtime/python-env/autogluon.json", pointer("autogluon"))
    model = {"initialization": "pretrained", "base": "little"}
    made = plan(tmp_path, forecast={"prediction_length": 7}, model=model)
    assert made.run_spec.base_model and made.run_spec.base_model.family == "chronos_bolt"
    assert made.config.model.family == "autogluon"
    with pytest.raises(ConfigurationError, match=r"model\.base: 'litle' is not published"):
        plan(tmp_path, forecast={"prediction_length": 7}, model={**model, "base": "litle"})


def test_there_is_nothing_to_resume(account, tmp_path):
    put(account, "runtime/python-env/autogluon.json", pointer("autogluon"))
    with pytest.raises(ConfigurationError, match="AutoGluon leaves no checkpoints to resume from"):
        plan(tmp_path, resume_run="20260101-000000", forecast={"prediction_length": 7})


def test_series_that_are_too_short_are_refused(account, tmp_path):
    put(account, "runtime/python-env/autogluon.json", pointer("autogluon"))
    with pytest.raises(ConfigurationError, match="needs series of 241 observations"):
        plan(tmp_path, forecast={"prediction_length": 40}, evaluation={"windows": 4})
