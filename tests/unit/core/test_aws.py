import pytest

from chronos_training.core import aws
from chronos_training.core.errors import TrainingError


def test_what_was_read_before_is_not_read_again(monkeypatch):
    monkeypatch.setattr(aws, "_session", None)
    aws.read_models("scheduler")
    loader = aws.session()._session.get_component("data_loader")
    read = []
    load_file = loader.file_loader.load_file
    monkeypatch.setattr(loader.file_loader, "load_file", lambda path: read.append(path) or load_file(path))
    aws.client("scheduler", region="us-east-1")
    # It looks for additions to each description, of which there are none.
    assert not [path for path in read if "scheduler" in path and not path.endswith("extras")]
    aws.client("sts", region="us-east-1")
    assert [path for path in read if "service-2" in path]


def test_a_profile_that_is_not_there_is_told_by_the_first_client(monkeypatch, tmp_path):
    monkeypatch.setattr(aws, "_session", None)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    aws.read_models("s3")
    with pytest.raises(TrainingError, match="nobody"):
        aws.client("s3", region="us-east-1")
