"""The images of the stack: what they carry, and that each does its work as Lambda and Fargate start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.volatility.daily_stack import ROOT

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context")
    names = [context_of(folder / "first"), context_of(folder / "second")]
    assert names[0] == names[1]  # the same files, the same name
    return folder / "first"


def context_of(folder: Path) -> str:
    command = [sys.executable, ROOT / "tools/volatility_context.py", folder]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_what_the_context_has(context: Path) -> None:
    names = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    assert {"Containerfile", "requirements-batch.txt", "requirements-api.txt"} <= names
    assert {name.split("/")[0] for name in names} == {
        "Containerfile",
        "requirements-batch.txt",
        "requirements-api.txt",
        "src",
    }
    api = (context / "requirements-api.txt").read_text()
    batch = (context / "requirements-batch.txt").read_text()
    for package in ("pandas", "scikit-learn", "pyarrow", "yfinance", "scipy", "narwhals"):
        assert f"\n{package}==" not in f"\n{api}", package
    assert "\nlightgbm==" in api and "\nscipy==" in batch
    assert "\npandas==" in batch and "\nawslambdaric==" in f"\n{api}" and "\nawslambdaric==" in batch
    assert all("--hash=sha256:" in line for line in (api + batch).splitlines())


def test_the_last_stages_have_no_compiler_and_no_root(context: Path) -> None:
    stages = (context / "Containerfile").read_text().split("\nFROM ")[1:]
    last = {stage.split(" AS ")[1].split()[0]: stage for stage in stages}
    for target in ("batch", "api"):
        assert last[target].startswith("base ") and "\nUSER 1000\n" in last[target]
        assert "pip" not in last[target]
    assert not any(word in last["base"] for word in ("gcc", "g++", "build-essential", "cmake"))


ASKED = """
import json
from importlib.util import find_spec
from chronos_volatility.serving.handler import handler
event = {"resource": "/ready", "path": "/ready", "httpMethod": "GET", "headers": {}, "multiValueHeaders": {}, "body": None,
         "queryStringParameters": None, "multiValueQueryStringParameters": None, "isBase64Encoded": False,
         "requestContext": {"stage": "v1", "identity": {"sourceIp": "127.0.0.1"}}}
answer = handler(event, None)
print(json.dumps([find_spec("scipy") is None, answer["statusCode"], json.loads(answer["body"])]))
"""


def test_the_packages_of_the_api_answer_for_a_model_with_trees(tmp_path: Path) -> None:
    """The golden forecast of the packages that trained it, to nine digits, without scipy."""
    batch, api = (interpreter(group) for group in ("batch", "api"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [batch, "-m", "tests.services.volatility.champion_with_trees", tmp_path]
    subprocess.run(command, env=environment, check=True, timeout=300)
    environment = {"PATH": os.environ["PATH"], "VOLATILITY_DATA": str(tmp_path)}
    said = subprocess.run([api, "-c", ASKED], env=environment, check=True, capture_output=True, text=True, timeout=300)
    without_scipy, status, body = json.loads(said.stdout)
    assert without_scipy
    assert (status, body["status"]) == (200, "ready"), body
    assert body["model_version"].startswith("log-har-x-trees-20181207-")


def interpreter(group: str) -> str:
    command = [sys.executable, ROOT / "tools/volatility_env.py", group]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
