"""The commands that messages name: what a person can copy and run as it stands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any


def playbook(env: str, name: str, **variables: Any) -> str:
    """Return the command that runs playbooks/`name`.yml in `env` with extra variables."""
    inventory = "" if env == "local" else f" -i inventories/{env}"  # ansible.cfg makes `local` the default
    extra = "".join(f" -e {key}={str(value).lower()}" for key, value in variables.items())
    return f"ansible-playbook{inventory} playbooks/{name}.yml{extra}"


def fix_command(env: str) -> str:
    """Return the command that ends what is provably ours and dead."""
    return playbook(env, "verify_cleanup", training_cleanup_check_fix=True)


# What comes after a launch: the short form, the playbook, and what it is for.
_NEXT = (
    ("monitor", "monitor_training", "follow it to its end"),
    ("kill", "kill_training", "end it, keeping what it has stored"),
    ("verify", "verify_cleanup", "afterwards: show that nothing was left"),
)


def next_commands(env: str, inventories: list[str], here: Path) -> list[str]:
    """Return, as lines, what to type after a launch.

    `inventories` are Ansible's own (`ansible_inventory_sources`), `here` the folder that the launch was typed in. The short
    forms are given where they mean the same: for an inventory of this project, in its folder.
    """
    sources = [Path(source) for source in inventories] or [here / "inventories" / env]
    short = len(sources) == 1 and sources[0].resolve().parent == here.resolve() / "inventories"
    if short and (here / "Makefile").is_file():
        name = sources[0].name
        commands = [f"make {target}" + ("" if name == "local" else f" ENV={name}") for target, _, _ in _NEXT]
    else:
        given = "".join(f" -i {shlex.quote(_short(source, here))}" for source in sources)
        commands = [f"ansible-playbook{given} playbooks/{name}.yml" for _, name, _ in _NEXT]
    longest = max(map(len, commands))
    return [f"{command:<{longest}}  {purpose}" for command, (_, _, purpose) in zip(commands, _NEXT, strict=True)]


def _short(path: Path, here: Path) -> str:
    try:
        return str(path.resolve().relative_to(here.resolve()))
    except ValueError:
        return str(path)
