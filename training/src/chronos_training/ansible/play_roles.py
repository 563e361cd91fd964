"""Which entry points of our roles a play runs, and with which actions. Only Ansible's own objects know the `tasks_from` of an imported role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chronos_training.control.options.inputs import entry_name


def entry_points(play: Any) -> list[str]:
    """Return the names of the play's roles in their order, as `control.options.inputs.read_roles` has them."""
    return [entry_name(role.get_name(), role._from_files.get("tasks", "main")) for role in play.get_roles()]


def actions(play: Any) -> list[str]:
    """Return the names of the actions that the play's roles run, each once, in their order."""
    blocks = [block for role in play.get_roles() for block in role.get_task_blocks()]
    return list(dict.fromkeys(str(task.action) for task in _tasks(blocks)))


def _tasks(entries: list[Any]) -> Iterator[Any]:
    for entry in entries:
        if hasattr(entry, "block"):
            yield from _tasks([*entry.block, *entry.rescue, *entry.always])
        else:
            yield entry
