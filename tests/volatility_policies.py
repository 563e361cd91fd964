"""The volatility stack's names and roles as its Ansible roles render them, for an account of a test."""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar

ROLES = Path(__file__).parents[1] / "roles"
ACCOUNT, REGION, ENV = "123456789012", "us-east-1", "local"
KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
Json = dict[str, Any]
# Both switches on: the most that a role may.
SWITCHES = {"volatility_identity_mirror": True, "volatility_identity_macro": True}


def variables(key_arn: str = KEY_ARN, **switches: Any) -> Templar:
    """Return what knows every variable of the roles, as in a play of the environment ENV."""
    with contextlib.suppress(Exception):  # it is there already
        init_plugin_loader()
    loader = DataLoader()
    known: Json = {
        "volatility_env": ENV,
        "volatility_region": REGION,
        "volatility_account": ACCOUNT,
        "volatility_settings": {"key_arn": key_arn},
        "volatility_identity_github_repository": "acme/forecasts",
        "volatility_identity_github_branch": "main",
        "volatility_identity_github_environment": ENV,
        "volatility_storage_account": ACCOUNT,
        "volatility_storage_region": REGION,
        "ansible_search_path": [str(ROLES / "volatility_identity")],
        **(switches or SWITCHES),
    }
    for role in ("volatility_inputs", "volatility_storage", "volatility_identity"):
        for path in sorted((ROLES / role / "vars/main").glob("*.yml")):
            known |= loader.load_from_file(str(path), trusted_as_template=True)
    return Templar(loader, variables=known)


def value(name: str, templar: Templar | None = None) -> Any:
    """Return a variable of the roles with every template rendered."""
    templar = templar or variables()
    found = templar.template(templar.available_variables[name])
    return _plain(found)


@cache
def roles(key_arn: str = KEY_ARN, **switches: Any) -> dict[str, Json]:
    """Return `trust` and `policy` of every role, the deployer's too."""
    found: dict[str, Json] = value("__volatility_identity_all", variables(key_arn, **switches))
    return found


def _plain(found: Any) -> Any:
    if isinstance(found, dict):
        return {str(key): _plain(one) for key, one in found.items()}
    if isinstance(found, (list, tuple)):
        return [_plain(one) for one in found]
    return str(found) if isinstance(found, str) else found
