"""What a person can choose: the target, its calendar, the symbols, the sources and what the checks tolerate.

The first ingest stores them beside the tables, so that every later step reads the same.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronos_training.core.cas import Lost
from chronos_training.core.errors import ConfigurationError
from chronos_volatility.storage import THREADS, Conflict, Storage

KEY = "settings.json"
VOLATILITY_INDEXES = ("VIX", "VIX3M")
SYNTHETIC = "synthetic"  # the source whose prices are made up


@dataclass(frozen=True)
class Settings:
    """The defaults work without a network: the S&P 500 until December 2018 and the VIX, both bundled."""

    target: str = "SPX"
    calendar: str = "XNYS"
    closed: tuple[str, ...] = ()
    """Days that the calendar takes for sessions, and that were none (YYYY-MM-DD)."""
    first_session: str = "1990-01-02"
    """Nothing before it is kept: the VIX begins there."""
    required: tuple[str, ...] = ("SPX", "VIX")
    """Symbols without which a session stops the line; the target is always one."""
    optional: tuple[str, ...] = ()
    """Symbols that are kept when a source has them; their features are null when none has."""
    sources: tuple[str, ...] = ("bundled",)
    """Names of sources, the first choice first; for each symbol the next is asked when one fails."""
    macro: tuple[str, ...] = ()
    """FRED's names of series, such as DGS10."""

    max_abs_ret: float = 0.25
    """An absolute return (log) from here on is taken for an error; 22.9 % on 1987-10-19 is the S&P 500's largest."""
    max_missing: float = 0.01
    """The share of sessions of the history that a required symbol may lack."""
    cross_check: float = 0.005
    """By how much (relative) the closes of two sources may differ."""
    overlap: int = 20
    """How many stored sessions are fetched again and compared; more than a killed writer can have left out."""
    restated_ignored: float = 1e-4
    """A stored price that a source gives up to this differently (relative) stands."""
    restated_accepted: float = 0.02
    """A difference up to here becomes a correction by itself; a larger one needs a person's reason."""

    def __post_init__(self) -> None:
        """ConfigurationError for what cannot be meant."""
        if not self.target or not self.sources:
            raise ConfigurationError("The settings need a target and at least one source.")
        if self.target not in self.required:
            object.__setattr__(self, "required", (self.target, *self.required))
        twice = set(self.required) & set(self.optional)
        if twice:
            raise ConfigurationError(f"The settings name {', '.join(sorted(twice))} both as required and as optional.")
        if SYNTHETIC in self.sources and len(self.sources) > 1:
            raise ConfigurationError("Synthetic and real prices must not mix: synthetic is the only source, or none.")
        if not 0 <= self.restated_ignored <= self.restated_accepted:
            raise ConfigurationError("restated_ignored must be from 0 to restated_accepted.")
        if self.overlap <= THREADS:
            raise ConfigurationError(f"overlap must be more than the {THREADS} sessions that are written at once.")

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols, the target first."""
        rest = [one for one in (*self.required, *self.optional) if one != self.target]
        return (self.target, *rest)

    def to_json(self) -> bytes:
        """Return what `parse` reads."""
        return (json.dumps(dataclasses.asdict(self), indent=2) + "\n").encode()


OFFLINE = Settings()
LIVE = Settings(
    target="SPY", required=("SPY", "VIX"), optional=("VIX3M", "TLT", "HYG"), sources=("yahoo", "cboe"),
    first_session="1993-01-29",
)  # fmt: skip
SIMULATED = dataclasses.replace(LIVE, sources=(SYNTHETIC,), first_session="2010-01-04")
PROFILES = {"offline": OFFLINE, "live": LIVE, "synthetic": SIMULATED}


def parse(body: bytes, name: str, base: Settings = OFFLINE) -> Settings:
    """Return `base` with the values of the JSON object `body`. ConfigurationError names the file `name` and the key."""
    try:
        values = json.loads(body)
    except ValueError as error:
        raise ConfigurationError(f"{name} is not JSON: {error}.") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"{name} is not a JSON object.")
    known = {field.name: getattr(base, field.name) for field in dataclasses.fields(base)}
    for key, value in values.items():
        if key not in known:
            raise ConfigurationError(f"{name} has {key!r}, which is not a setting.", hint=f"Known: {', '.join(known)}.")
        values[key] = _typed(value, known[key], f"{name}: {key}")
    return dataclasses.replace(base, **values)


def read_file(path: Path, base: Settings = OFFLINE) -> Settings:
    """Return `base` with the values of the file. ConfigurationError."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"Could not read the settings {path}: {error.strerror}.") from error
    return parse(body, str(path), base)


def stored(storage: Storage) -> Settings | None:
    """Return the settings of the storage, None before its first ingest."""
    body = storage.read(KEY)
    return None if body is None else parse(body, f"{storage.url}/{KEY}")


def of(storage: Storage) -> Settings:
    """Return the settings of the storage. ConfigurationError when nothing was ingested yet."""
    found = stored(storage)
    if found is None:
        raise ConfigurationError(f"{storage.url} has no data yet.", hint="Begin with `volatility ingest`.")
    return found


def require_same_prices(known: Settings, settings: Settings, url: str) -> None:
    """Raise ConfigurationError when what the prices of the storage at `url` are of would change."""
    fixed = [(name, getattr(known, name), getattr(settings, name)) for name in ("target", "calendar", "first_session")]
    fixed.append(("synthetic", SYNTHETIC in known.sources, SYNTHETIC in settings.sources))
    for name, was, wanted in fixed:
        if was != wanted:
            raise ConfigurationError(
                f"{url} was begun with {name} {was}, not {wanted}.", hint="Use another folder or prefix."
            )


def keep(storage: Storage, settings: Settings) -> None:
    """Store the settings, in place of earlier ones. ConfigurationError like `require_same_prices`."""
    pointer = storage.pointer(KEY)
    before = pointer.read()
    if before is not None:
        known = parse(before.body, f"{storage.url}/{KEY}")
        require_same_prices(known, settings, storage.url)
        if known == settings:
            return
    try:
        pointer.write(settings.to_json(), None if before is None else before.etag)
    except Lost as error:
        raise Conflict(f"{storage.url}/{KEY}") from error


def _typed(value: Any, default: Any, what: str) -> Any:
    """Return `value` as the type of `default`. ConfigurationError."""
    if isinstance(default, tuple) and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if isinstance(default, float) and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type(value) is type(default):
        return value
    wanted = {tuple: "a list of words", float: "a number", int: "a whole number", str: "a word"}[type(default)]
    raise ConfigurationError(f"{what} must be {wanted}, not {json.dumps(value)}.")
