"""How a stream is kept over a crash: its events as one piece. There may be many, and everybody waits."""

from __future__ import annotations

import pickle
from typing import Any

from moto.logs.models import LogStream

from local_aws.services.patching import add


def install() -> None:
    """Let pickle do this (see persistence.py, which looks at each object by itself)."""
    add(LogStream, __getstate__=_state, __setstate__=_restore)


def _state(self: LogStream) -> dict[str, Any]:
    return {**self.__dict__, "events": pickle.dumps(self.events, protocol=5)}


def _restore(self: LogStream, state: dict[str, Any]) -> None:
    self.__dict__.update({**state, "events": pickle.loads(state["events"])})  # noqa: S301 (our own)
