"""The process that is killed: the project's real commands, ended at a chosen moment of a chosen AWS call.

`python -m tests.protocol.crash_process` reads one order per line from its input (see `Order`), forks, and lets the child
do it; so a case costs no start of Python and no reading of botocore's data. The child hangs itself into botocore's own
events. The product knows nothing of this.

A moment is one of:
  before   the request has not left
  sent     the request has left; nobody reads the answer
  after    the answer was read; nothing was done with it yet
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSHTTPConnection

from chronos_training.core import aws
from chronos_training.core.errors import TrainingError
from tests.protocol import crash_commands

MOMENTS = ("before", "sent", "after")
# Calls that a command repeats while it waits: of a row of them two count, the rest is more of the same. (How many there
# are differs from run to run, and the number of a call must not.)
POLLED = {"ec2.DescribeInstances", "s3.GetObject"}


@dataclass(frozen=True)
class Order:
    """What a child does. At `moment` of call number `number` (from 0; -1: never) it gets `signal_number`."""

    command: str
    arguments: dict[str, Any]
    report: str  # the child's report goes to this file, a line for each event
    environment: dict[str, str] = field(default_factory=dict)
    number: int = -1
    moment: str = ""
    signal_number: int = signal.SIGKILL


class Hooks:
    """Counts the AWS calls of this process, writes their names down, and strikes at the chosen one."""

    def __init__(self, order: Order, report: Callable[[str, Any], None]) -> None:
        self._order, self._report = order, report
        self._calls: list[str] = []
        self._lock = threading.Lock()
        self._mine = threading.local()  # uploads run in threads

    def install(self) -> None:
        events = aws._session.events  # clients made from now on carry these hooks
        events.register("before-send", self._before)
        events.register("response-received", self._after)
        get_response = AWSHTTPConnection.getresponse

        def getresponse(connection: Any, *arguments: Any, **named: Any) -> Any:
            self._strike("sent")
            return get_response(connection, *arguments, **named)

        AWSHTTPConnection.getresponse = getresponse

    def _before(self, event_name: str, **_: Any) -> None:
        call = event_name.removeprefix("before-send.")
        with self._lock:
            if call in POLLED and self._calls[-2:] == [call, call]:
                self._mine.number = None
                return
            self._mine.number = len(self._calls)
            self._calls.append(call)
            self._report("call", call)
        self._strike("before")

    def _after(self, **_: Any) -> None:
        self._strike("after")

    def _strike(self, moment: str) -> None:
        if (getattr(self._mine, "number", None), moment) == (self._order.number, self._order.moment):
            os.kill(os.getpid(), self._order.signal_number)


def child(order: Order) -> int:
    """Do the order; 0 when the command succeeded, 1 for a TrainingError, 2 for anything else."""
    os.environ.update(order.environment)
    with Path(order.report).open("a", buffering=1) as stream:

        def report(kind: str, value: Any) -> None:
            stream.write(json.dumps([kind, value]) + "\n")

        Hooks(order, report).install()
        try:
            result = getattr(crash_commands, order.command)(lambda line: report("say", line), **order.arguments)
        except TrainingError as error:
            report("error", str(error))
            return 1
        except BaseException:
            report("crash", traceback.format_exc())
            return 2
        report("result", result)
    return 0


def main() -> None:
    """Serve orders until the input ends. The answer to each is a line: {pid, exit, signal, stopped}."""
    # A shell that starts the tests in the background has it ignored, and Python then leaves it so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    crash_commands.warm_up()
    children: set[int] = set()
    try:
        for line in sys.stdin:
            asked = json.loads(line)
            if "continue" in asked:
                pid = int(asked["continue"])
                os.kill(pid, signal.SIGCONT)
            else:
                pid = os.fork()
                if pid == 0:
                    os._exit(child(Order(**asked)))
                children.add(pid)
            _, status = os.waitpid(pid, os.WUNTRACED)
            stopped = os.WIFSTOPPED(status)
            if not stopped:
                children.discard(pid)
            answer = {
                "pid": pid,
                "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
                "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
                "stopped": stopped,
            }
            print(json.dumps(answer), flush=True)
    finally:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def as_line(order: Order) -> str:
    """Return the order as the line that `main` reads."""
    return json.dumps(asdict(order))


if __name__ == "__main__":
    main()
