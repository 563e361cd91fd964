"""What a check found: findings for the manifest, notes for people, problems that end in one refusal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chronos_training.core.errors import DataError

SHOWN = 5  # item ids that a finding names


def refusal(problems: Sequence[tuple[str, str]]) -> DataError:
    """Return one error of all `problems`, (sentence, hint) each: a single one as it is, several one to a line."""
    if len(problems) == 1:
        return DataError(problems[0][0], hint=problems[0][1])
    lines = [f"  - {sentence} {hint}".rstrip() for sentence, hint in problems]
    return DataError(f"The dataset has {len(problems)} problems:\n" + "\n".join(lines))


@dataclass
class Report:
    """Collects what is found, so that a person learns of everything at once."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  # how the panel was read, where nothing was changed in it
    problems: list[tuple[str, str]] = field(default_factory=list)
    offers: list[dict[str, str]] = field(default_factory=list)

    def found(self, check: str, items: Iterable[str], rows: int, handled: str, note: str) -> None:
        """Keep a finding that was dealt with: the item ids it concerns, its rows, and how it was handled."""
        names = sorted(set(items))
        self.findings.append(
            {"check": check, "items": len(names), "rows": int(rows), "first": names[:SHOWN], "handled": handled}
        )
        self.notes.append(note)

    def refuse(self, sentence: str, hint: str = "", **options: str) -> None:
        """Keep a problem; `stop` raises it. `options` of the commands would take the data as they are."""
        self.problems.append((sentence, hint))
        self.offers.append(options)

    def stop(self) -> None:
        """Raise DataError with every problem so far, if there is one; `facts["options"]` would do away with all of them."""
        if self.problems:
            error = refusal(self.problems)
            if all(self.offers):
                error.facts["options"] = {name: value for offer in self.offers for name, value in offer.items()}
            raise error
