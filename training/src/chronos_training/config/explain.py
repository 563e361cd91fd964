"""Renders the schema as a Markdown table for the documentation: `python -m chronos_training.config.explain`."""

from __future__ import annotations

import json

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from chronos_training.config.auto import AUTO, KEYS
from chronos_training.config.bounds import WHY
from chronos_training.config.messages import allowed
from chronos_training.config.schema import TrainingConfig
from chronos_training.core.output import run

HEAD = """# Configuration

Every key of a training configuration. A key whose default is `auto` follows the data in the families chronos2 and
chronos_bolt, unless a file gives it: the plan, `validate-config --data`, the metadata and the report say with which value
and why. Where a file gives `training.steps`, how to learn is its own: of the automatic keys that depend on the steps, those
that it leaves out stay empty, `false` or 0 (warmup_steps 60, checkpoint_every_steps 300). The other families take
the values of the birthdays' configuration instead. Written by `python -m chronos_training.config.explain > docs/configuration.md`.
"""


def explain() -> str:
    """Return the page: one table with every key, its default, what is allowed, and what it means."""
    rows = [HEAD, "| key | default | allowed | meaning |", "|---|---|---|---|"]
    for name, field in TrainingConfig.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            rows += [_row(f"{name}.{key}", value) for key, value in inner.model_fields.items()]
        else:
            rows.append(_row(name, field))
    return "\n".join(rows) + "\n"


def _row(key: str, field: FieldInfo) -> str:
    default = "" if field.default is None else json.dumps(field.default, ensure_ascii=False)
    if key in KEYS:
        default = AUTO
    meaning = f"{field.description or ''}{f' Limits: {WHY[key]}.' if key in WHY else ''}"
    takes = f"auto, or {allowed(field)}" if key in KEYS else allowed(field)
    cells = (f"`{key}`", f"`{default}`" if default else "(empty)", takes, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    raise SystemExit(run(lambda: print(explain(), end="")))
