"""The bootstrap's own request signature against botocore's: an emulator does not check it, AWS does."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def fetch(monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    spec = importlib.util.spec_from_file_location("fetch", ROOT / "roles/instance_user_data/files/bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CREDENTIALS = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "wJalr/XUtnFEMI+K7MDENG", "Token": "session-token=="}
RUN = {"bucket": "chronos-training-dev-123456789012-eu-west-1", "region": "eu-west-1"}


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    "key", ["runtime/packages/ab12/chronos-training-agent.tar.gz", "dev/logs/20260101-120000/a b.log"]
)
def test_signature_is_botocores(fetch, method, key, monkeypatch):
    body = b"the log" if method == "PUT" else b""
    now = time.gmtime(1_700_000_000)
    url = fetch.object_url(RUN, key)
    ours = fetch.signed_headers(RUN, CREDENTIALS, method, url, body, now)

    request = AWSRequest(method, url, data=body, headers={"X-Amz-Content-SHA256": ours["x-amz-content-sha256"]})
    credentials = Credentials(CREDENTIALS["AccessKeyId"], CREDENTIALS["SecretAccessKey"], CREDENTIALS["Token"])
    import datetime

    import botocore.auth

    moment = datetime.datetime.fromtimestamp(1_700_000_000, datetime.timezone.utc)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment.replace(tzinfo=None))
    S3SigV4Auth(credentials, "s3", RUN["region"]).add_auth(request)
    assert ours["Authorization"] == request.headers["Authorization"]


def test_virtual_hosted_on_aws_and_path_style_on_an_endpoint(fetch, monkeypatch):
    assert (
        fetch.object_url(RUN, "a/b")
        == "https://chronos-training-dev-123456789012-eu-west-1.s3.eu-west-1.amazonaws.com/a/b"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")
    assert fetch.object_url(RUN, "a/b") == "http://127.0.0.1:5000/chronos-training-dev-123456789012-eu-west-1/a/b"


def test_a_python_that_is_too_old_for_the_agent_is_one_sentence_and_ends_the_machine(
    fetch, monkeypatch, capsys, tmp_path
):
    """Nothing is fetched; start.sh ends the machine when this says 1."""
    monkeypatch.setattr(fetch, "STATE", tmp_path)
    monkeypatch.setattr(fetch.sys, "version_info", (3, 9, 18, "final", 0))
    shipped = []
    monkeypatch.setattr(fetch, "ship_logs", shipped.append)
    monkeypatch.setattr(fetch, "fetch_agent", lambda run: pytest.fail("fetched"))
    assert fetch.fetch({"run_id": "20260101-120000", **RUN}) == 1
    said = "the agent needs Python 3.10 or newer, and this image's python3 is 3.9; name another image in"
    assert said in capsys.readouterr().out and len(shipped) == 1


def test_the_agent_and_its_boto3_need_just_that_python(fetch):
    import tomllib

    project = tomllib.loads((ROOT / "training/pyproject.toml").read_text())["project"]
    assert project["requires-python"].startswith(f">={fetch.PYTHON[0]}.{fetch.PYTHON[1]},")
