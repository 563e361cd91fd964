"""`python -m tests.bench.services`: an API in front of a function, and the volatility stack's images, as ratios.

latency      a warm function behind the API, and the same handler called: p95
environments one and two environments, one client for each: how many answers a second
held         200 requests a second for a minute (--seconds), by locust: errors
images       the volatility stack's images: CPU of a cold start, memory of the API, its compressed size

Exit code 0 whether targets are met or not.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local_aws.home import REPOSITORY_ROOT
from local_aws.testing import EmbeddedAws
from tests.bench.services import images
from tests.bench.table import Row, Section, Target
from tests.services.apigateway.apis import Api, make

# Reads its event, sums what an inference of a small linear model would, and answers. `wait` stands for a service it asks.
HANDLER = """
import json, math, time
def handler(event, context):
    given = json.loads(event["body"] or "{}")
    time.sleep(given.get("wait", 0))
    total = sum(math.sqrt(i) for i in range(given.get("work", 100)))
    return {"statusCode": 200, "body": json.dumps({"total": total})}
"""
PATH = "/files/predict"
LATENCY = (
    """One request after the other over one connection, and the same handler called with the same event, in turn."""
)
ENVIRONMENTS = """One client keeps one environment busy, two keep two. A function that waits 20 ms for something else; and, without
a target, one that computes for about as long: two of them need two cores beside what the clients and the embedded AWS take."""
HELD = """locust, twenty-four users who would send ten requests a second each, in front of a function that computes a little. Latencies are
locust's."""


class Client:
    """One connection that is kept."""

    def __init__(self, api: Api) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(api.aws.endpoint).netloc, timeout=60)
        self._path = f"/_aws/execute-api/{api.id}/prod{PATH}"

    def post(self, body: Any) -> None:
        """Send a request. RuntimeError unless it is answered with 200."""
        self._connection.request("POST", self._path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {text!r}")


def latency(api: Api, rounds: int) -> Section:
    """Call both ways in turn."""
    section = Section("Latency", LATENCY, unit="ms")
    space: dict[str, Any] = {}
    exec(HANDLER, space)
    client, event = Client(api), {"body": "{}"}
    client.post({})
    taken: dict[str, list[float]] = {"handler": [], "API": []}
    for _ in range(200 * rounds):
        taken["handler"].append(_milliseconds(lambda: space["handler"](event, None)))
        taken["API"].append(_milliseconds(lambda: client.post({})))
    p95 = {way: statistics.quantiles(times, n=20)[18] for way, times in taken.items()}
    section.rows = [Row(f"{way}, p95 of {len(taken[way])}", [p95[way]]) for way in taken]
    section.rows += [Row(f"{way}, median", [statistics.median(taken[way])]) for way in taken]
    section.targets = [Target("behind the API − handler, p95", p95["API"] - p95["handler"], 10, unit="ms")]
    return section


def environments(api: Api, rounds: int) -> Section:
    """Take one and two clients in turn."""
    section = Section("Two environments", ENVIRONMENTS, unit="answers a second")
    for name, body in {"waiting 20 ms": {"wait": 0.02}, "computing": {"work": 200_000}}.items():
        found: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(rounds):
            for clients in found:
                found[clients].append(_answers_a_second(api, clients, body, 2.0))
        section.rows += [Row(f"{name}, {clients} client(s)", rates) for clients, rates in found.items()]
        ratio = statistics.median(found[2]) / statistics.median(found[1])
        section.rows[-1].note = f"{ratio:.2f} × one"
        if "wait" in body:
            section.targets.append(Target(f"{name}: two / one", ratio, 1.8, most=False))
    return section


def held(api: Api, seconds: int) -> Section:
    """Let locust call."""
    section = Section("200 requests a second", HELD, unit="ms")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "user.py").write_text(
            "from locust import HttpUser, constant_throughput, task\n\n"
            "class Person(HttpUser):\n    wait_time = constant_throughput(10)\n\n"
            f"    @task\n    def predict(self):\n        self.client.post({PATH!r}, json={{}})\n"
        )
        program = REPOSITORY_ROOT / "tools/group_packages.py"
        packages = subprocess.run([sys.executable, program, "clients"], capture_output=True, text=True, check=True)
        host = f"{api.aws.endpoint}/_aws/execute-api/{api.id}/prod"
        words = ["--headless", "-u", "24", "-r", "24", "-t", f"{seconds}s", "--host", host, "--csv", "found"]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": packages.stdout.strip(), "HOME": folder}
        command = [sys.executable, "-S", "-m", "locust", "-f", "user.py", "--only-summary", *words]
        subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True)
        lines = Path(folder, "found_stats.csv").read_text().splitlines()
    total = dict(zip(lines[0].split(","), lines[-1].split(","), strict=True))
    section.rows = [Row(f"{name} latency", [float(total[name])]) for name in ("50%", "95%", "99%")]
    section.targets = [
        Target("answers", float(total["Requests/s"]), 200, most=False, unit="a second"),
        Target("errors", float(total["Failure Count"]), 0, unit="of " + total["Request Count"]),
    ]
    return section


def _milliseconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _answers_a_second(api: Api, clients: int, body: Any, seconds: float) -> float:
    """All clients begin together, when each has had an answer: their environments are warm."""
    ready, counts = threading.Barrier(clients), [0] * clients

    def ask(number: int) -> None:
        client = Client(api)
        client.post(body)
        ready.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            client.post(body)
            counts[number] += 1

    threads = [threading.Thread(target=ask, args=[number]) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


PARTS: dict[str, Callable[[Api, int], Section]] = {"latency": latency, "environments": environments, "held": held}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.services", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS, "images"], help="default: all")
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is taken (default: 5)")
    parser.add_argument("--seconds", type=int, default=60, help="how long 200 requests a second are held (default: 60)")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f} before\n")
    parts = options.parts or [*PARTS, "images"]
    if chosen := [part for part in parts if part in PARTS]:
        _in_front_of_a_function(chosen, options.rounds, options.seconds)
    if "images" in parts:
        for measure in (images.cold, images.memory, images.size):
            print(measure(options.rounds).terminal(), flush=True)


def _in_front_of_a_function(parts: list[str], rounds: int, seconds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="chronos-bench-") as folder:
        aws = EmbeddedAws(Path(folder) / "home")
        try:
            api = make(aws, HANDLER, Timeout=20, MemorySize=256)
            for part in parts:
                print(PARTS[part](api, seconds if part == "held" else rounds).terminal(), flush=True)
        finally:
            aws.stop()


if __name__ == "__main__":
    main()
