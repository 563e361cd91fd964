"""Two kinds of environment: published beside each other, and a launch takes the one that its configuration needs."""

from __future__ import annotations

import json

import pytest

from chronos_training.control.publish import runtime
from chronos_training.control.publish.published import current_runtime
from chronos_training.core.errors import ConfigurationError, TrainingError

from .runtime_project import add_autogluon, make_project

BUCKET = "chronos-training-local-123456789012-us-east-1"


@pytest.fixture(scope="module")
def built_project(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("kinds") / "checkout")
    add_autogluon(project)
    return project


@pytest.fixture
def project(built_project, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", (built_project / "wheels").as_uri())
    return built_project


def publish(project, kind):
    request = runtime.Request(bucket=BUCKET, project=project, interpreter="current", target="this_machine", kind=kind)
    return runtime.publish_runtime(request, check_mode=False, emit=lambda line: None)


def test_each_kind_has_its_own_pointer_and_build(s3, project):
    chronos = publish(project, "chronos")["environment"]
    both = publish(project, "autogluon")["environment"]
    assert chronos["packages"] == {"greeting": "1.2"}
    assert both["packages"] == {"greeting": "1.2", "parting": "0.1"}
    assert chronos["build_id"] != both["build_id"] and (chronos["kind"], both["kind"]) == ("chronos", "autogluon")
    stored = s3.get_object(Bucket=BUCKET, Key="runtime/python-env/autogluon.json")["Body"].read()
    assert json.loads(stored) == both
    for kind, expected in (("chronos", chronos), ("autogluon", both)):
        assert current_runtime(s3, BUCKET, "local", kind)[0] == expected
        assert not publish(project, kind)["changed"]  # neither build pushes the other one out


def test_a_kind_that_is_not_published_is_refused_with_the_command_that_publishes_it(s3, project):
    with pytest.raises(TrainingError) as caught:
        current_runtime(s3, BUCKET, "dev", "chronos")
    assert "No training environment is published" in str(caught.value)
    publish(project, "chronos")
    with pytest.raises(TrainingError) as caught:
        current_runtime(s3, BUCKET, "dev", "autogluon")
    assert f"No environment of kind autogluon is published: s3://{BUCKET}/runtime/python-env/autogluon.json" in str(
        caught.value
    )
    command = "make runtime ENV=dev ARGS='-e training_runtime_kind=autogluon'"
    assert command in str(caught.value)


def test_an_unknown_kind_is_refused(project):
    with pytest.raises(
        ConfigurationError, match="training_runtime_kind is 'gluon', but must be one of chronos, autogluon"
    ):
        runtime.build_target(project, chosen="current", target="this_machine", kind="gluon")
