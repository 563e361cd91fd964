"""The commands that messages name: what a person can copy and run as it stands."""

from __future__ import annotations

from typing import Any


def playbook(env: str, name: str, **variables: Any) -> str:
    """Return the command that runs playbooks/`name`.yml in `env` with extra variables."""
    inventory = "" if env == "local" else f" -i inventories/{env}"  # ansible.cfg makes `local` the default
    extra = "".join(f" -e {key}={str(value).lower()}" for key, value in variables.items())
    return f"ansible-playbook{inventory} playbooks/{name}.yml{extra}"


def fix_command(env: str) -> str:
    """Return the command that ends what is provably ours and dead."""
    return playbook(env, "verify_cleanup", training_cleanup_check_fix=True)
