"""Which entry points of our roles a play runs. Only Ansible's own objects know the `tasks_from` of an imported role."""

from __future__ import annotations

from typing import Any

from chronos_training.control.options.inputs import entry_name


def entry_points(play: Any) -> list[str]:
    """Return the names of the play's roles in their order, as `control.options.inputs.read_roles` has them."""
    return [entry_name(role.get_name(), role._from_files.get("tasks", "main")) for role in play.get_roles()]
