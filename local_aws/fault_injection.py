"""Faults that are injected into machines and the account, beside those of AWS's API (faults.py): `injected_faults.json`.

It is read again whenever it matters, so that a fault can begin and end while machines run: by tests, and by
`python -m local_aws start --set end_seconds=420`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from local_aws.home import Home, LocalAwsError, write_atomically

FILE = "injected_faults.json"


@dataclass(frozen=True)
class InjectedFaults:
    """What is not set is as it should be."""

    disk_bytes: int | None = None  # the size of the disk of machines that boot from now on (levels with a Debian root)
    metadata_down: bool = False  # the metadata service closes every connection without an answer
    clock_ahead: float = 0.0  # seconds that AWS's clock is ahead of machines' (levels with a network of their own)
    network_bytes_per_second: float | None = None  # what all answers together are sent at
    # Seconds, by AWS's clock, that an instance stays `shutting-down` from EC2's acceptance of its end, or its own power-off:
    # a GPU instance of the real EC2 needs 300 to 480.
    end_seconds: float = 0.0
    account_plan: str = "PAID"  # or FREE, which refuses all but the smallest types
    quotas: dict[str, float] = field(
        default_factory=dict
    )  # vCPUs by the code of the quota, instead of what was granted
    not_offered: tuple[str, ...] = ()  # "g4dn.2xlarge in us-east-1b"
    no_capacity: tuple[str, ...] = ()  # capacity providers that RunTask is refused for: FARGATE_SPOT


def read(home: Home) -> InjectedFaults:
    """The present faults."""
    try:
        given = json.loads((home.path / FILE).read_text())
    except FileNotFoundError:
        return InjectedFaults()
    values = {one.name: given[one.name] for one in fields(InjectedFaults) if one.name in given}
    return InjectedFaults(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    )


def write(home: Home, faults: InjectedFaults) -> None:
    """Replace the present faults."""
    write_atomically(home.path / FILE, json.dumps(asdict(faults)))


def unusual(home: Home) -> dict[str, Any]:
    """The present faults that change anything, by name."""
    present, usual = asdict(read(home)), asdict(InjectedFaults())
    return {name: value for name, value in present.items() if value != usual[name]}


def with_settings(faults: InjectedFaults, settings: Iterable[str]) -> InjectedFaults:
    """Return `faults` with settings like `end_seconds=420`, values as in JSON. LocalAwsError for what is none."""
    kinds = {one.name: str(one.type) for one in fields(InjectedFaults)}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in kinds:
            raise LocalAwsError(f"There is no setting {name!r}; there are {', '.join(kinds)}.")
        faults = replace(faults, **{name: _value(name, text, kinds[name])})
    return faults


_KINDS = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,), "dict": (dict,), "tuple": (list,)}
_IN_WORDS = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a text", "dict": "a JSON object",
             "tuple": "a JSON list"}  # fmt: skip


def _value(name: str, text: str, kind: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    base = kind.removesuffix(" | None").partition("[")[0]
    if value is None and kind.endswith("None"):
        return value
    if not isinstance(value, _KINDS[base]) or (isinstance(value, bool) and base != "bool"):
        raise LocalAwsError(f"{name}={text}: this setting takes {_IN_WORDS[base]}.")
    return value
