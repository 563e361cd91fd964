"""GetConsoleOutput returns what the instance wrote on its console; moto returns a sample of a 2006 kernel.

AWS keeps the last 64 KB. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.responses.general import General

KEPT = 64 * 1024


def close_gap(instances: Path) -> None:
    def get_console_output(self: General) -> ActionResult:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        result: dict[str, object] = {"InstanceId": instance.id, "Timestamp": datetime.now(timezone.utc)}
        text = _tail(instances / instance.id / "console.log")
        if text:  # an instance that has not written yet has no Output at all, as on AWS
            result["Output"] = Base64EncodedString.from_raw_string(text)
        return ActionResult(result)

    General.get_console_output = get_console_output


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as console:
            size = console.seek(0, 2)
            console.seek(max(0, size - KEPT))
            return console.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
