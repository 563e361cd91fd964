"""How a file is written, where that is not said by the file itself: names of columns, wide or long, separator, dates, …"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from chronos_training.config.messages import nearest
from chronos_training.core.errors import ConfigurationError

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
DECIMALS = {"point": ".", "comma": ","}
ORDERS = ("day-first", "month-first")
# One line each, for the command's help.
MEANING: dict[str, str] = {
    "columns": "columns of other names: item_id=store,timestamp=date,target=sales",
    "wide": "one column of dates, and one column for each series",
    "item": "all rows are one series, of this name; there is no column item_id",
    "leave_out": "columns to ignore: region,notes",
    "separator": f"what separates the columns of a text file: {', '.join(SEPARATORS)} or the character (default: as found)",
    "decimal": "the decimal mark: point or comma (default: as found)",
    "dates": "how dates are written: day-first, month-first, or a format such as %%d.%%m.%%y (default: as found)",
    "zone": "time zone that dates refer to when timestamps are written in another one, such as Europe/Berlin",
    "empty": "texts for missing values: .,n/a",
    "encoding": "encoding of a text file, such as cp1252 (default: UTF-8, or as its first bytes say)",
    "sheet": "sheet of a workbook (default: the only one)",
}


@dataclass(frozen=True)
class Format:
    """What a person says of a file; see MEANING. Everything else is found in the file, or refused.

    `columns` maps our names (item_id, timestamp, a target, a covariate) to the file's. ConfigurationError for a value
    that is not allowed.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    wide: bool = False
    item: str = ""
    leave_out: tuple[str, ...] = ()
    separator: str = ""
    decimal: str = ""
    dates: str = ""
    zone: str = ""
    empty: tuple[str, ...] = ()
    encoding: str = ""
    sheet: str = ""

    def __post_init__(self) -> None:
        for name in ("item", "separator", "decimal", "dates", "zone", "encoding", "sheet"):
            if not isinstance(getattr(self, name), str):
                raise ConfigurationError(f"Format {name}: {getattr(self, name)!r} is not allowed: must be text.")
        object.__setattr__(self, "columns", _pairs(self.columns))
        for name in ("leave_out", "empty"):
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        if self.wide not in (True, False):
            raise ConfigurationError(f"Format wide: {self.wide!r} is not allowed: must be true or false.")
        for name, words in (("separator", SEPARATORS), ("decimal", DECIMALS)):
            value = getattr(self, name)
            meant = words.get(value, "\t" if value == "\\t" else value)
            if value and (meant not in words.values() if name == "decimal" else len(meant) != 1):
                raise ConfigurationError(
                    f"Format {name}: {value!r} is not allowed: must be one of: {', '.join(words)}."
                    f"{nearest(value, list(words))}"
                )
            object.__setattr__(self, name, meant)
        if self.dates and self.dates not in ORDERS and "%" not in self.dates:
            raise ConfigurationError(
                f"Format dates: {self.dates!r} is not allowed: must be {' or '.join(ORDERS)}, or a format such as "
                f"%d.%m.%y.{nearest(self.dates, list(ORDERS))}"
            )
        if self.wide and self.item:
            raise ConfigurationError("Format item: a wide table has many series, each named by its column.")
        if self.item and "item_id" in self.columns:
            raise ConfigurationError("Format item: columns names a column for item_id already.")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Format:
        """Return the format of `values` (name → value; what is absent is found in the file).

        Raises ConfigurationError with the nearest known name for an unknown name or value.
        """
        if not isinstance(values, Mapping):
            raise ConfigurationError(f"Format: {values!r} is not allowed: must be names with values.")
        known = [one.name for one in fields(cls)]
        for name in values:
            if name not in known:
                raise ConfigurationError(
                    f"Format {name!r} is not known; known: {', '.join(known)}.{nearest(str(name), known)}"
                )
        # Ansible's name=value gives every value as text.
        wide = {"true": True, "false": False}.get(str(values.get("wide", False)).lower(), values.get("wide", False))
        return cls(**{**values, "wide": wide})

    def given(self) -> list[str]:
        """Return the names that are not left to the file."""
        return [name for name, value in asdict(self).items() if value]


def _split(text: str) -> list[str]:
    """Return the parts of a text that commas divide; a name with a comma stands in quotes."""
    return [part.strip() for part in next(csv.reader([text], skipinitialspace=True), [])]


def _pairs(given: Any) -> dict[str, str]:
    if isinstance(given, Mapping):
        pairs = {str(ours): str(theirs) for ours, theirs in given.items()}
    else:
        parts = [part.partition("=") for part in _split(given)] if isinstance(given, str) else [("", "", "")]
        if wrong := ["".join(part) for part in parts if not all(part)]:
            raise ConfigurationError(
                f"Format columns: {wrong[0] or given!r} is not allowed: give our name and the file's name, such as "
                "item_id=store,timestamp=date,target=sales."
            )
        pairs = {ours: theirs for ours, _, theirs in parts}
        if len(pairs) < len(parts):
            raise ConfigurationError("Format columns: a name is given twice.")
    if twice := {name for name in pairs.values() if list(pairs.values()).count(name) > 1}:
        raise ConfigurationError(f"Format columns: {', '.join(sorted(twice))} is given twice.")
    return pairs


def _names(name: str, given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        given = _split(given)
    if not isinstance(given, Sequence) or not all(isinstance(one, str) for one in given):
        raise ConfigurationError(f"Format {name}: {given!r} is not allowed: must be a list of strings.")
    return tuple(given)


def as_words(offer: Mapping[str, Any]) -> list[str]:
    """Return parts of a format, or rules, as the commands' options."""
    words: list[str] = []
    for name, value in offer.items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return words


def quoted(name: str) -> str:
    """Return a column's name as it stands in a list."""
    return f'"{name}"' if "," in name else name
