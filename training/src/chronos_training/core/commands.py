"""The commands that messages tell a person to type. Each can be pasted as it stands, and acts on the environment it is about.

No other module writes one: `playbook` for what acts on an environment, `make` for what acts on this repository alone.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# The Makefile's short form of each playbook.
TARGETS = {
    "check_account": "doctor",
    "probe_instance": "doctor PROBE=yes",
    "provision_infrastructure": "provision",
    "publish_runtime": "runtime",
    "publish_dataset": "dataset",
    "publish_model": "model",
    "teardown_infrastructure": "teardown",
    "launch_training": "launch",
    "monitor_training": "monitor",
    "kill_training": "kill",
    "verify_cleanup": "verify",
    "fetch_run": "fetch",
    "list_runs": "runs",
    "list_audit": "audit",
    "show_lock": "show-lock",
    "provision_volatility": "volatility-provision",
    "publish_images": "volatility-images",
    "deploy_volatility": "volatility-deploy",
    "run_volatility": "volatility-run",
    "check_volatility": "volatility-check",
    "load_test_volatility": "volatility-load",
    "promote_model": "volatility-promote",
    "rollback_model": "volatility-rollback",
    "teardown_volatility": "volatility-teardown",
}
# What comes after a launch, and what it is for.
_NEXT = {
    "monitor_training": "follow it until it ends",
    "kill_training": "end it and keep what it has stored",
    "verify_cleanup": "afterwards: verify that nothing is left",
}
# Ansible takes such a value as it is; every other one goes as JSON, which it takes whole.
_PLAIN = re.compile(r"[\w.,:/@%+-]+")

# Ansible's own inventories, as the person named them: known in its process and in those that it forks for tasks.
_inventories: tuple[str, ...] = ()
# The environment that this process works for, where no inventory is known and the message does not know it either.
_env = "local"


def typed_with(inventories: Iterable[str]) -> None:
    """Remember the inventories of the command that this process serves, for the commands that it will name."""
    global _inventories
    _inventories = tuple(inventories)


def working_for(env: str) -> None:
    """Remember the environment that this process works for: an instance has no inventory."""
    global _env
    _env = env


def playbook(env: str | None, name: str, *options: str, **variables: Any) -> str:
    """Return the command that runs playbooks/`name`.yml for `env`, with options of ansible-playbook and extra variables.

    The short form where it means the same: for an inventory of this project, in its folder. Otherwise the inventories are
    those that the person gave. Without `env` it is the environment that this process works for.
    """
    env = env or _env
    extra = shlex.join([*options, *(word for item in variables.items() for word in ("-e", _assigned(*item)))])
    here = Path.cwd()
    sources = [source if "," in source else Path(source) for source in _inventories] or [here / "inventories" / env]
    first = sources[0]
    ours = isinstance(first, Path) and first.resolve().parent == here.resolve() / "inventories"
    if name in TARGETS and (not _inventories or (len(sources) == 1 and ours and (here / "Makefile").is_file())):
        where = "" if first.name == "local" else f"ENV={shlex.quote(first.name)}"  # type: ignore[union-attr]
        # A dollar sign would be a variable of make.
        arguments = f"ARGS={shlex.quote(extra.replace('$', '$$'))}" if extra else ""
        return " ".join(filter(None, ("make", TARGETS[name], where, arguments)))
    given = "".join(f" -i {shlex.quote(_short(source, here))}" for source in sources)
    path = shlex.quote(f"{_short(_playbooks(here), here)}/{name}.yml")
    return f"ansible-playbook{given} {path} {extra}".rstrip()


def fix(env: str) -> str:
    """Return the command that ends what is provably ours and dead."""
    return playbook(env, "verify_cleanup", training_cleanup_check_fix=True)


def after_launch(env: str) -> list[str]:
    """Return, as lines, what to type after a launch, each with what it is for."""
    commands = {playbook(env, name): purpose for name, purpose in _NEXT.items()}
    longest = max(map(len, commands))
    return [f"{command:<{longest}}  {purpose}" for command, purpose in commands.items()]


def make(target: str, **variables: str) -> str:
    """Return the command for a target of the Makefile that acts on this repository alone, such as setup."""
    return " ".join(["make", target, *(f"{name}={shlex.quote(value)}" for name, value in variables.items())])


def local_aws(word: str) -> str:
    """Return a command of the embedded AWS, such as start."""
    return f".venv/bin/python -m local_aws {word}"


def sign_in() -> str:
    """Return the command of the AWS CLI that signs in to the profile that this process uses."""
    profile = os.environ.get("AWS_PROFILE")
    return "aws sso login" + (f" --profile {shlex.quote(profile)}" if profile else "")


def _assigned(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"{name}={str(value).lower()}"
    if isinstance(value, (str, int, float)) and _PLAIN.fullmatch(str(value)):
        return f"{name}={value}"
    return json.dumps({name: value}, ensure_ascii=False)


def _playbooks(here: Path) -> Path:
    project = Path(__file__).resolve().parents[4]
    return here / "playbooks" if (here / "playbooks").is_dir() else project / "playbooks"


def _short(path: Path | str, here: Path) -> str:
    if isinstance(path, str):
        return path
    try:
        return str(path.resolve().relative_to(here.resolve()))
    except ValueError:
        return str(path)
