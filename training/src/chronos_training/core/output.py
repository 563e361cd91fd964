"""Standard output that may fail: a full disk, or a reader who has gone. It is noticed once, and what follows leads nowhere."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

# The exit code of a program that could not say what it had to say.
UNWRITABLE = 1


class Output:
    """Stands for the stream `stream`. A write that fails raises nothing; `error` is then what it failed with."""

    def __init__(self, stream: Any, on_failure: Callable[[OSError], None]) -> None:
        """`on_failure` is called once, in the thread that wrote."""
        self._stream, self._on_failure = stream, on_failure
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        """Return whatever else the stream has."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write `text`."""
        try:
            return int(self._stream.write(text))
        except OSError as error:
            self._fail(error)
            return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        try:
            self._stream.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        if self.error is not None:
            return
        self.error = error
        # What is still buffered, and what Python flushes at its exit, would fail again.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        self._on_failure(error)


def tell(error: OSError, then: str = "") -> None:
    """Say on standard error that output failed, and what follows of it. A reader who has gone is told nothing."""
    if isinstance(error, BrokenPipeError):
        return
    with contextlib.suppress(OSError):
        print(f"ERROR: The output could not be written: {error.strerror}. {then}".strip(), file=sys.stderr, flush=True)


def run(main: Callable[[], int | None]) -> int:
    """Run `main`, a command that only shows or makes things here, and return its exit code.

    When its output cannot be written it ends there: with a sentence and an exit code, or quietly if it was the reader who went.
    """
    if sys.stdout is None:  # the caller has closed it
        return main() or 0
    output = Output(sys.stdout, _end)
    sys.stdout = output
    try:
        code = main() or 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
    with contextlib.suppress(SystemExit):
        output.flush()
    if output.error is None or isinstance(output.error, BrokenPipeError):
        return code
    return code or UNWRITABLE


def _end(error: OSError) -> None:
    tell(error)
    raise SystemExit(0 if isinstance(error, BrokenPipeError) else UNWRITABLE)
