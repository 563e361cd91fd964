"""The environments there are: made when they are needed, kept warm, limited in number, and ended when nobody needs them.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local_aws import processes
from local_aws.clock import Timer
from local_aws.services.aws import Aws
from local_aws.services.awslambda import files, images
from local_aws.services.awslambda.environment import MARK, CommandOf, Environment
from local_aws.services.awslambda.functions import Function, backend
from local_aws.services.awslambda.logs import Logs

CONCURRENCY_VARIABLE = "LOCAL_AWS_LAMBDA_CONCURRENCY"  # of the account; AWS begins with 1,000
IDLE_VARIABLE = "LOCAL_AWS_LAMBDA_IDLE_SECONDS"  # by AWS's clock, 600; AWS itself does not say how long it waits
_LOOK = 0.05  # seconds between two looks: at the memory of what runs, at environments that became free
_STARTS = 2 * (os.cpu_count() or 1)  # at the same time: more would make each of them late


class Throttled(Exception):
    """There are as many invocations under way as there may be. `args[0]` is AWS's Reason."""


class Pools:
    """All environments of this AWS. Thread-safe."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.logs = Logs(aws)
        self.limit = int(os.environ.get(CONCURRENCY_VARIABLE, "1000"))
        self._idle_seconds = float(os.environ.get(IDLE_VARIABLE, "600"))
        self._folder = aws.home.path / "functions"
        shutil.rmtree(self._folder / "environments", ignore_errors=True)  # of a daemon that was killed
        self._idle: dict[tuple[str, str], list[Environment]] = {}  # by the function's version and its revision
        self._busy: set[Environment] = set()
        self._running: Counter[str] = Counter()  # invocations, by the function's ARN
        self._reserved: dict[str, int] = {}
        self._starts = threading.Semaphore(_STARTS)
        self._lock = threading.Lock()
        self._timer: Timer | None = None
        self._watching = False
        self._stopped = False

    @contextlib.contextmanager
    def counted(self, function: Function) -> Iterator[int]:
        """Count one invocation under way; gives how many of the function there are. Throttled when there may be no more."""
        name = function.unqualified
        with self._lock:
            if function.reserved is None:
                self._reserved.pop(name, None)
                rest = sum(count for other, count in self._running.items() if other not in self._reserved)
                if rest >= self.limit - sum(self._reserved.values()):
                    raise Throttled("ConcurrentInvocationLimitExceeded")
            else:
                self._reserved[name] = function.reserved
                if self._running[name] >= function.reserved:
                    raise Throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
            self._running[name] += 1
            running = self._running[name]
        try:
            yield running
        finally:
            with self._lock:
                self._running[name] -= 1
                if not self._running[name]:
                    del self._running[name]

    @contextlib.contextmanager
    def environment(self, function: Function) -> Iterator[Environment]:
        """A free environment of the function, a new one if there is none."""
        chosen = self._warm(function)
        while chosen is None:
            # As on AWS, whoever waits for a start takes what becomes free before.
            if self._starts.acquire(timeout=_LOOK):
                try:
                    chosen = self._warm(function) or self._new(function)
                finally:
                    self._starts.release()
            else:
                chosen = self._warm(function)
        with self._lock:
            self._busy.add(chosen)
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="lambda-memory", daemon=True).start()
        try:
            yield chosen
        finally:
            self._give_back(chosen)

    def _warm(self, function: Function) -> Environment | None:
        unusable = []
        with self._lock:
            key = (function.arn, function.revision)
            for other in [k for k in self._idle if k[0] == function.arn and k != key]:  # the function was updated
                unusable += self._idle.pop(other)
            found, free = None, self._idle.get(key, [])
            while free and found is None:
                last = free.pop()
                if last.usable() and not self._idle_too_long(last):
                    found = last
                else:
                    unusable.append(last)
        _end(unusable)
        return found

    def _new(self, function: Function) -> Environment:
        own = self._folder / "environments" / uuid.uuid4().hex
        made = self._image(function, own) if function.image else self._zip(function, own)
        environment = Environment(self.aws, function, made, self.logs, own, self._idle_seconds)
        with self._lock:
            self._busy.add(environment)  # so that it is ended with all others
        environment.initialize()
        return environment

    def _zip(self, function: Function, own: Path) -> CommandOf:
        with self.aws.lock:
            archive = _archive(function)
        code = files.unpacked(self._folder / "code", function.code_sha, archive)
        return lambda variables, pipe: files.of_zip(function, code, own, variables, pipe)

    def _image(self, function: Function, own: Path) -> CommandOf:
        return lambda variables, _: images.command_of(self.aws, function, own, variables)

    def _give_back(self, environment: Environment) -> None:
        key = (environment.function.arn, environment.function.revision)
        with self._lock:
            self._busy.discard(environment)
            kept = environment.usable() and not self._stopped
            if kept:
                environment.idle_since = self.aws.clock.now()
                self._idle.setdefault(key, []).append(environment)
        if kept:
            self._look_later()
        else:
            _end([environment])

    def _look_later(self) -> None:
        """Have one timer for the end of what is idle, as long as something is."""
        with self._lock:
            since = [e.idle_since for free in self._idle.values() for e in free]
            if since and (self._timer is None or self._timer.cancelled):
                when = min(since) + self._idle_seconds
                self._timer = self.aws.clock.call_at(when, "the end of idle environments", self._end_idle)

    def _idle_too_long(self, environment: Environment) -> bool:
        return self.aws.clock.now() - environment.idle_since >= self._idle_seconds

    def _end_idle(self) -> None:
        """The timer: end those that nobody needed for long."""
        with self._lock:
            self._timer = None
            over = [e for free in self._idle.values() for e in free if self._idle_too_long(e)]
            self._idle = {key: left for key, free in self._idle.items() if (left := [e for e in free if e not in over])}
        _end(over)
        self._look_later()

    def end_function(self, unqualified: str) -> None:
        """The function is deleted: end what is idle. What runs goes on to its end, as on AWS."""
        with self._lock:
            keys = [key for key in self._idle if key[0].rpartition(":")[0] == unqualified]
            ended = [environment for key in keys for environment in self._idle.pop(key)]
        _end(ended)

    def end_all(self) -> None:
        """The account is emptied, or the embedded AWS ends."""
        with self._lock:
            ended = [*self._busy, *(e for free in self._idle.values() for e in free)]
            self._idle.clear()
            self._reserved.clear()
        for environment in ended:
            environment.clean_up(marked=False)
        if ended:
            processes.kill_all(lambda: processes.marked(self.aws.home.machine_marker(MARK)))

    def stop(self) -> None:
        """End everything for good."""
        self._stopped = True
        self.end_all()
        shutil.rmtree(self._folder, ignore_errors=True)

    def describe(self) -> list[dict[str, Any]]:
        """For status."""
        with self._lock:
            idle = [e for free in self._idle.values() for e in free]
            return [
                {"function": e.function.arn, "process": e.pid, "state": state}
                for state, some in (("running", list(self._busy)), ("warm", idle))
                for e in some
            ]

    def _watch(self) -> None:
        """End what takes more memory than it has. A cgroup would do the same, but only where one may be made."""
        while not self._stopped:
            time.sleep(_LOOK)
            with self._lock:
                busy = list(self._busy)
                if not busy:
                    self._watching = False
                    return
            for environment in busy:
                environment.measure()


def _archive(function: Function) -> bytes:
    stored = backend(function.region)._lambdas._functions.get(function.name)
    for moto in (stored["latest"], *stored["versions"]) if stored else ():
        if moto is not None and moto.code_sha_256 == function.code_sha:
            return bytes(moto.code_bytes)
    raise files.NotStartable(f"The function {function.arn} is gone.")


def _end(environments: list[Environment]) -> None:
    """End them in a thread: whoever invokes does not wait for it."""
    for environment in environments:
        threading.Thread(target=environment.clean_up, name="lambda-end", daemon=True).start()
