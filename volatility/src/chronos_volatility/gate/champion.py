"""The champion: one object that names the version that serves. It changes by compare-and-swap, and keeps its history."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from chronos_training.core.cas import Lost
from chronos_training.core.clock import iso
from chronos_training.core.errors import ConfigurationError, DataError, TrainingError
from chronos_volatility.models import artifact
from chronos_volatility.storage import Storage

KEY = "models/champion.json"
PIN = "MODEL_VERSION"
ATTEMPTS = 5


@dataclass(frozen=True)
class Entry:
    """One change of the champion."""

    version: str
    since: str
    """ISO 8601, UTC."""
    action: str
    """promote, refresh or rollback."""
    reason: str
    decision: str = ""
    """The record of the gate that made it, empty for a person's."""


@dataclass(frozen=True)
class Champion:
    """What the pointer says: `history` is oldest first, its last entry is the present."""

    history: tuple[Entry, ...]

    @property
    def version(self) -> str:
        """The version that serves."""
        return self.history[-1].version

    @property
    def since(self) -> str:
        """Since when it serves: entries that let it go on serving do not count."""
        begun = self.history[-1]
        for one in reversed(self.history):
            if one.version != begun.version:
                break
            begun = one
        return begun.since

    @property
    def previous(self) -> str | None:
        """The last other version that served before."""
        return next((one.version for one in reversed(self.history[:-1]) if one.version != self.version), None)


def current(storage: Storage) -> Champion | None:
    """Return the pointer, None before the first promotion. DataError when it is damaged."""
    version = storage.pointer(KEY).read()
    return None if version is None else _parse(version.body, f"{storage.url}/{KEY}")


def serving(storage: Storage, environ: Mapping[str, str] = os.environ) -> str:
    """Return the version that serves: MODEL_VERSION of the environment if set, else the champion. ConfigurationError."""
    if pinned := environ.get(PIN, "").strip():
        return pinned
    found = current(storage)
    if found is None:
        raise ConfigurationError(
            f"{storage.url} has no champion: no model passed the gate yet.",
            hint="Run `volatility train`, then `volatility gate`.",
        )
    return found.version


def promote(
    storage: Storage,
    version: str,
    *,
    action: str,
    reason: str,
    now: datetime,
    decision: str = "",
    expected: str | None = None,
) -> bool:
    """Let `version` serve. False when this decision, or this version, is in place already: nothing is written.

    `expected` is the version that served when the decision was made (None: there was none). Conflict as TrainingError when
    another one serves by now: somebody was first, and the decision does not hold. DataError when there is no such model.
    """
    artifact.load(storage, version)

    def change(found: Champion | None) -> Entry | None:
        if found is not None and (
            found.version == version or (decision and any(one.decision == decision for one in found.history))
        ):
            return None
        if (found.version if found else None) != expected:
            raise TrainingError(
                f"The champion is {found.version if found else 'none'}, no longer {expected}: {version} was not promoted.",
                code="conflict",
                hint="Run `volatility gate` again: it decides against the present champion.",
            )
        return Entry(version, iso(now), action, reason, decision)

    return _change(storage, change)


def turn_back(
    storage: Storage, version: str, *, reason: str, now: datetime, decision: str, expected: str | None
) -> bool:
    """Let `version` go on serving in place of what a decision chose, because that failed its canary.

    The history keeps it, so that the decision is not made again. False when it has it, or another than `expected` serves by
    now: nothing is written. DataError when there is no such model.
    """
    artifact.load(storage, version)

    def change(found: Champion | None) -> Entry | None:
        if found is not None and any(one.decision == decision for one in found.history):
            return None
        if (found.version if found else None) != expected:
            return None
        return Entry(version, iso(now), "rollback", reason, decision)

    return _change(storage, change)


def rollback(storage: Storage, *, to: str | None = None, reason: str, now: datetime) -> str:
    """Let an earlier version (default: the one before the present) serve again, and return it.

    ConfigurationError when there is none to go back to.
    """
    target = to

    def change(found: Champion | None) -> Entry | None:
        nonlocal target
        if found is None:
            raise ConfigurationError(f"{storage.url} has no champion, so there is nothing to roll back.")
        target = to or found.previous
        if target is None:
            raise ConfigurationError(f"{found.version} is the first champion: there is none before it.")
        if target == found.version:
            return None
        artifact.load(storage, target)
        return Entry(target, iso(now), "rollback", reason)

    _change(storage, change)
    assert target is not None
    return target


def _change(storage: Storage, entry_after: Callable[[Champion | None], Entry | None]) -> bool:
    """Append what `entry_after` returns for the present pointer; it is asked again when another writer was first."""
    pointer = storage.pointer(KEY)
    for _ in range(ATTEMPTS):
        stored = pointer.read()
        found = None if stored is None else _parse(stored.body, f"{storage.url}/{KEY}")
        entry = entry_after(found)
        if entry is None:
            return False
        history = (*(found.history if found else ()), entry)
        # A fresh nonce: an ETag is a hash of the bytes, and equal bytes would let a stale writer pass.
        content = {"version": entry.version, "history": [asdict(one) for one in history], "nonce": uuid.uuid4().hex}
        try:
            pointer.write((json.dumps(content, indent=1) + "\n").encode(), stored.etag if stored else None)
        except Lost:
            continue
        return True
    raise TrainingError(
        f"{storage.url}/{KEY} was changed by others again and again.", code="conflict", hint="Try again."
    )


def _parse(body: bytes, url: str) -> Champion:
    try:
        content: dict[str, Any] = json.loads(body)
        history = tuple(Entry(**one) for one in content["history"])
        if not history or history[-1].version != content["version"]:
            raise ValueError("its history does not end with its version")
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{url} is damaged: {error}.", hint="Restore an earlier version of the object.") from error
    return Champion(history)
