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
    problems: list[tuple[str, str]] = field(default_factory=list)

    def found(self, check: str, items: Iterable[str], rows: int, handled: str, note: str) -> None:
        """Keep a finding that was dealt with: the item ids it concerns, its rows, and how it was handled."""
        names = sorted(set(items))
        self.findings.append(
            {"check": check, "items": len(names), "rows": int(rows), "first": names[:SHOWN], "handled": handled}
        )
        self.notes.append(note)

    def refuse(self, sentence: str, hint: str = "") -> None:
        """Keep a problem; `stop` raises it."""
        self.problems.append((sentence, hint))

    def stop(self) -> None:
        """Raise DataError with every problem so far, if there is one."""
        if self.problems:
            raise refusal(self.problems)
