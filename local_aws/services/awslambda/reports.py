"""What Lambda itself writes into a function's log: as text, or as JSON when the function's LoggingConfig says so.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from local_aws.clock import CLOCK
from local_aws.services.awslambda.functions import Function
from local_aws.services.awslambda.logs import LogStream


@dataclass
class Outcome:
    """What becomes of an invocation."""

    payload: bytes = b""
    error: str = ""  # Unhandled, or empty
    kind: str = ""  # of the error
    status: str = "success"  # in the report
    init: float = 0.0  # seconds that the initialization took, if there was one
    ended: float = 0.0  # monotonic
    started: bool = False

    def fail(self, kind: str, message: str, status: str = "success") -> None:
        """It is an error of Lambda, and not one that the function has raised."""
        self.kind, self.error, self.status = kind, "Unhandled", status
        self.payload = json.dumps({"errorType": kind, "errorMessage": message}).encode()


class Reports:
    """The lines of one environment."""

    def __init__(self, function: Function, log: LogStream) -> None:
        self._function = function
        self._log = log

    def init_start(self) -> None:
        """The process is started."""
        runtime = self._function.runtime or "image"
        record = {"initializationType": "on-demand", "phase": "init", "runtimeVersion": runtime}
        self._say(f"INIT_START Runtime Version: {runtime}\tRuntime Version ARN: local", "initStart", record)

    def init_report(self, seconds: float, status: str, kind: str = "") -> None:
        """The initialization has failed, or takes too long."""
        text = f"INIT_REPORT Init Duration: {seconds * 1000:.2f} ms\tPhase: init\tStatus: {status}"
        record = {"phase": "init", "status": status, "metrics": {"durationMs": round(seconds * 1000, 2)}}
        if kind:
            text += f"\tError Type: {kind}"
            record["errorType"] = kind
        self._say(text, "initReport", record)

    def start(self, request_id: str) -> None:
        """An invocation begins."""
        record = {"requestId": request_id, "version": self._function.version}
        self._say(f"START RequestId: {request_id} Version: {self._function.version}", "start", record)

    def timed_out(self, request_id: str, said: str) -> None:
        """It has taken too long."""
        if self._function.log_format != "JSON":
            self._log.say(f"{_now()} {request_id} {said}\n")

    def exited(self, request_id: str, said: str, kind: str) -> None:
        """The process has ended in the middle of it."""
        if self._function.log_format != "JSON":
            self._log.say(f"RequestId: {request_id} {said}\n{kind}")

    def report(self, request_id: str, outcome: Outcome, milliseconds: float, memory: int) -> None:
        """It has ended. `memory` is the most that was used, in MiB."""
        most = min(memory, self._function.memory) or 1
        metrics: dict[str, Any] = {
            "durationMs": round(milliseconds, 2),
            "billedDurationMs": math.ceil(milliseconds + outcome.init * 1000),
            "memorySizeMB": self._function.memory,
            "maxMemoryUsedMB": most,
        }
        parts = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {milliseconds:.2f} ms",
            f"Billed Duration: {metrics['billedDurationMs']} ms",
            f"Memory Size: {self._function.memory} MB",
            f"Max Memory Used: {most} MB",
        ]
        if outcome.init:
            parts.append(f"Init Duration: {outcome.init * 1000:.2f} ms")
            metrics["initDurationMs"] = round(outcome.init * 1000, 2)
        record = {"requestId": request_id, "metrics": metrics, "status": outcome.status}
        if outcome.status != "success":
            parts.append(f"Status: {outcome.status}")
        if outcome.status == "error":
            parts.append(f"Error Type: {outcome.kind}")
            record["errorType"] = outcome.kind
        if self._function.log_format != "JSON":
            self._log.say(f"END RequestId: {request_id}")
        self._say("\t".join(parts), "report", record)

    def _say(self, text: str, kind: str, record: dict[str, Any]) -> None:
        if self._function.log_format == "JSON":
            text = json.dumps({"time": _now(), "type": f"platform.{kind}", "record": record})
        self._log.say(text)


def _now() -> str:
    now = CLOCK.utcnow()
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"
