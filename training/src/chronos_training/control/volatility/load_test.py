"""Locust against the deployed API, in a process of its own, and what it measured against limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from chronos_training.core.errors import TrainingError

# The script that Locust runs reads them; a command line could be seen by other people of this machine.
KEY_VARIABLE = "VOLATILITY_API_KEY"
SESSION_VARIABLE = "VOLATILITY_API_SESSION"
_GRACE = 120
"""Seconds that Locust has beside those of the load: to start, and for the last answers."""


@dataclass(frozen=True)
class Load:
    """How much is sent, and what is still good."""

    users: int
    seconds: int
    p95_milliseconds: int
    error_percent: float
    session: str = ""
    """Whose forecast is asked for; empty: the last one's, and by its date the same one."""


@dataclass(frozen=True)
class Measured:
    """What came of it."""

    requests: int
    errors: int
    p50_milliseconds: int
    p95_milliseconds: int
    kinds: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return it for a person."""
        return [
            f"{self.requests} requests, {self.errors} errors",
            f"half of the answers within {self.p50_milliseconds} ms, 95 % within {self.p95_milliseconds} ms",
            *self.kinds,
        ]


def measure(load: Load, url: str, key: str, script: str, packages: str) -> Measured:
    """Send the load. TrainingError when it could not be sent, or its result is above the limits."""
    words = [
        sys.executable, "-m", "locust", "--locustfile", script, "--host", url, "--headless", "--only-summary",
        "--users", str(load.users), "--spawn-rate", str(load.users), "--run-time", f"{load.seconds}s",
        "--stop-timeout", "30", "--exit-code-on-error", "0", "--json", "--skip-log-setup",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": packages, KEY_VARIABLE: key, SESSION_VARIABLE: load.session}
    try:
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False, timeout=load.seconds + _GRACE
        )
    except subprocess.TimeoutExpired as error:  # it has been killed
        raise TrainingError(f"Locust did not end within {error.timeout:.0f} s, for {load.seconds} s of load.") from None
    try:
        found = measured(json.loads(done.stdout[done.stdout.index("[") :]))
    except ValueError:
        raise TrainingError(f"Locust measured nothing: {(done.stderr or done.stdout).strip()[-500:]}") from None
    above = _above(found, load)
    if above:
        failure = TrainingError(f"The API at {url} is above its limits: {' '.join(above)}")
        failure.facts = {"lines": found.lines()}
        raise failure
    return found


def measured(entries: list[dict[str, Any]]) -> Measured:
    """Return what Locust's JSON says, of all requests together."""
    times: dict[int, int] = {}
    kinds = []
    for entry in entries:
        for milliseconds, count in entry["response_times"].items():
            times[int(float(milliseconds))] = times.get(int(float(milliseconds)), 0) + count
        kinds.append(f"{entry['name']}: {entry['num_requests']} requests, {entry['num_failures']} errors")
    requests, errors = (sum(one[name] for one in entries) for name in ("num_requests", "num_failures"))
    return Measured(requests, errors, _percentile(times, 0.5), _percentile(times, 0.95), tuple(kinds))


def _percentile(times: dict[int, int], share: float) -> int:
    left = share * sum(times.values())
    for milliseconds in sorted(times):
        left -= times[milliseconds]
        if left <= 0:
            return milliseconds
    return 0


def _above(found: Measured, load: Load) -> list[str]:
    lines = [] if found.requests else ["It answered no request."]
    if found.p95_milliseconds > load.p95_milliseconds:
        lines.append(f"95 % of the answers took up to {found.p95_milliseconds} ms, not {load.p95_milliseconds} ms.")
    if found.errors > load.error_percent / 100 * found.requests:
        lines.append(f"{found.errors} of {found.requests} requests failed.")
    return lines
