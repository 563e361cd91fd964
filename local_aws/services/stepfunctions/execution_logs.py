"""What executions write into CloudWatch Logs, by their machine's logging configuration.

moto 5.2.5 stores the configuration and writes nothing.
https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from moto.stepfunctions.parser.api import LogLevel
from moto.stepfunctions.parser.asl.eval.event.logging import is_logging_enabled_for
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from local_aws.services.aws import Aws
from local_aws.services.logs.writing import write


class Session:
    """Writes an execution's events. In the place of moto's CloudWatchLoggingSession."""

    def __init__(self, aws: Aws, execution: Any, group: str, configuration: dict[str, Any]) -> None:
        self._aws = aws
        self._group = group
        self._level = LogLevel(configuration.get("level", "OFF"))
        self._stream = (
            f"states/{execution.state_machine.name}/{execution.start_date:%Y-%m-%d-%H-%M}/{execution.name[:8]}"
        )
        self.execution_arn = execution.exec_arn
        self.configuration = SimpleNamespace(include_execution_data=configuration.get("includeExecutionData", False))
        self._repeated = len(execution.__dict__.get("local_aws_history", ()))

    def log_level_filter(self, history_event_type: Any) -> bool:
        """Whether events of this type are written."""
        return bool(is_logging_enabled_for(self._level, history_event_type))

    def publish_history_log(self, history_log: dict[str, Any]) -> None:
        """Write one event; moto holds the lock."""
        if int(history_log["id"]) <= self._repeated:  # written before a crash
            return
        when = datetime.fromisoformat(str(history_log["event_timestamp"]).replace("Z", "+00:00")).timestamp()
        line = {**history_log, "event_timestamp": str(int(when * 1000))}
        line["type"] = str(getattr(line["type"], "value", line["type"]))
        # The log group's own delivery writes, not the role.
        write(self._aws, self._group, self._stream, [(when, to_json_str(line))], None, make_group=False)


def session_of(aws: Aws, execution: Any) -> Session | None:
    """Return what writes the events of an execution, None where nothing is to be written."""
    configuration = execution.state_machine.loggingConfiguration or {}
    with contextlib.suppress(KeyError, IndexError):
        arn = configuration["destinations"][0]["cloudWatchLogsLogGroup"]["logGroupArn"]
        if configuration.get("level", "OFF") != "OFF":
            return Session(aws, execution, arn.removesuffix(":*").partition("log-group:")[2], configuration)
    return None
