"""Which series of a panel a configuration can learn from, and what was done about the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.errors import DataError
from chronos_training.data.panel import Array, Panel
from chronos_training.data.report import SHOWN
from chronos_training.data.resolution import is_constant


@dataclass(frozen=True)
class SeriesFinding:
    """What a check found: its name, the items, and what was done about them."""

    check: str
    items: int
    first: list[str]
    handled: str

    @property
    def sentence(self) -> str:
        """The finding in words."""
        more = ", …" if self.items > len(self.first) else ""
        return f"{self.items} {self.check} series ({', '.join(self.first)}{more}): {self.handled}."


def usable(panel: Panel, config: TrainingConfig) -> tuple[Panel, list[SeriesFinding]]:
    """Return the panel without the series that the rules drop, and a finding for each rule that had something to do.

    DataError, with count and first items, for what a rule refuses, and when nothing is left.
    """
    rules = config.dataset
    unseen = config.held_out_length + config.validation_length
    findings: list[SeriesFinding] = []
    keep = np.ones(len(panel), bool)

    def judge(check: str, found: Array, rule: str, key: str) -> None:
        if not found.any():
            return
        items = [panel.item_ids[i] for i in np.flatnonzero(found)[:SHOWN]]
        handled = {"drop": "dropped", "keep": "kept"}.get(rule, rule)
        finding = SeriesFinding(check, int(found.sum()), items, handled)
        if rule == "refuse":
            raise DataError(
                finding.sentence.replace(": refuse.", "."), hint=f"Fix them, or set dataset.{key} to another rule."
            )
        findings.append(finding)
        if rule == "drop":
            keep[found] = False

    judge("too short", panel.lengths < config.shortest_usable_series, rules.short_series, "short_series")
    learnt = [(int(i), int(panel.lengths[i]) - unseen) for i in np.flatnonzero(keep)]
    empty, constant, missing = (np.zeros(len(panel), bool) for _ in range(3))
    for i, length in learnt:
        for target in panel.targets:
            values = panel.values(i, target)
            seen = values[:length][~np.isnan(values[:length])]
            empty[i] |= seen.size == 0
            constant[i] |= is_constant(seen)
            missing[i] |= bool(np.isnan(values).any())
    judge("empty", empty, rules.short_series, "short_series")
    judge("constant", constant & keep, rules.constant_series, "constant_series")
    handled = {
        "keep": "masked",
        "interpolate": "interpolated in the history",
        "forward_fill": "filled forward in the history",
    }
    judge("incomplete", missing & keep, handled.get(rules.missing_values, "refuse"), "missing_values")
    if not keep.any():
        raise DataError("No series is left to train on: " + " ".join(f.sentence for f in findings))
    return (panel if keep.all() else panel.only(np.flatnonzero(keep))), findings
