"""The two images of the volatility stack: what a cold start of each costs, what the API's process takes, how large its image is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from chronos_training.control.volatility import image_context
from local_aws.home import REPOSITORY_ROOT
from local_aws.testing import EmbeddedAws
from tests.bench.table import Row, Section, Target
from tests.services.volatility.deployed import forecasts, push

COLD = """What a new execution environment does before it answers: the imports of each image's handlers, in fresh processes of the two
locked environments, in turn; of batch with the step `infer`, which its handler imports when it is called. CPU, not time: on Lambda
it is what memory buys. Bytecode is there, as in the images."""
MEMORY = """The most that the API's process holds: imports, the model that serves with its golden forecast, a stored forecast, one of
given features; and with a model that has trees, which LightGBM's library evaluates."""
SIZE = """As ECR counts it, compressed, with what Debian and Python are made of left out: at level `process` they are this computer's.
python:slim adds about 45 MB."""
HANDLERS = {
    "api": "chronos_volatility.serving.handler",
    "batch": "chronos_volatility.service.lambdas chronos_volatility.steps.infer",
}
CPU = """
import importlib, resource, sys
for name in sys.argv[1].split():
    importlib.import_module(name)
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime)
"""
ANSWERS = """
import json, resource, sys
from chronos_volatility.serving.handler import handler
facts = json.loads(sys.argv[1])
asked = [("GET", "/ready", None), ("GET", "/info", None)]
if facts:
    asked += [("POST", "/predict", {"as_of_date": facts["session"]}), ("POST", "/predict", {"feature_vector": facts["features"]})]
for method, path, body in asked:
    event = {"resource": path, "path": path, "httpMethod": method, "headers": {"content-type": "application/json"},
             "multiValueHeaders": {}, "queryStringParameters": None, "multiValueQueryStringParameters": None,
             "requestContext": {"stage": "v1", "identity": {"sourceIp": "127.0.0.1"}}, "isBase64Encoded": False,
             "body": None if body is None else json.dumps(body)}
    assert handler(event, None)["statusCode"] == 200
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)
"""


def cold(rounds: int) -> Section:
    """Take the two environments in turn."""
    section = Section("Cold start", COLD, unit="seconds of CPU")
    with tempfile.TemporaryDirectory(prefix="chronos-bench-") as folder:
        taken: dict[str, list[float]] = {group: [] for group in HANDLERS}
        for number in range(rounds + 1):
            for group, handlers in HANDLERS.items():
                used = _run(group, folder, CPU, handlers)
                if number:  # the first one writes bytecode
                    taken[group].append(used)
    section.rows = [Row(f"imports of {group}", times) for group, times in taken.items()]
    ratio = section.rows[0].median / section.rows[1].median
    section.targets = [Target("API / batch", ratio, 0.6)]
    return section


def memory(rounds: int) -> Section:
    """Let the handler answer one request of each kind."""
    section = Section("Memory of the API", MEMORY, unit="MB")
    with tempfile.TemporaryDirectory(prefix="chronos-bench-") as folder:
        facts = json.dumps(forecasts(Path(folder) / "data"))
        most = [_run("api", str(Path(folder) / "data"), ANSWERS, facts) for _ in range(rounds)]
        trees = str(Path(folder) / "trees")
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY_ROOT)}
        words = [_python("batch"), "-m", "tests.services.volatility.champion_with_trees", trees]
        subprocess.run(words, env=environment, check=True, timeout=300)
        with_trees = [_run("api", trees, ANSWERS, "{}") for _ in range(rounds)]
    section.rows = [Row("API", most), Row("API, with trees", with_trees)]
    section.targets = [Target(row.name, row.median, 100, unit="MB") for row in section.rows]
    return section


def size(_: int) -> Section:
    """Build both images and push them."""
    section = Section("Image", SIZE, unit="MB")
    with tempfile.TemporaryDirectory(prefix="chronos-bench-") as folder:
        aws = EmbeddedAws(Path(folder) / "home")
        try:
            context = Path(folder) / "context"
            image_context.write(REPOSITORY_ROOT, context)
            for target in HANDLERS:
                name = push(aws, context, target, Path(folder)).partition("/")[2].partition("@")[0]
                [image] = aws.client("ecr").describe_images(repositoryName=name)["imageDetails"]
                section.rows.append(Row(target, [image["imageSizeInBytes"] / 1e6]))
        finally:
            aws.stop()
    section.targets = [Target("API, compressed, without python:slim", section.rows[0].median, 70, unit="MB")]
    return section


def _python(group: str) -> str:
    program = REPOSITORY_ROOT / "tools/volatility_env.py"
    return subprocess.run([sys.executable, program, group], capture_output=True, text=True, check=True).stdout.strip()


def _run(group: str, data: str, code: str, argument: str) -> float:
    environment = {"PATH": os.environ["PATH"], "VOLATILITY_DATA": data, "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(
        [_python(group), "-c", code, argument], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return float(done.stdout.split()[-1])
