"""The policies as the roles render them, and the roles in IAM as provisioning makes them, for an account of a test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

ROLES = Path(__file__).parents[1] / "roles"
Json = dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """The environment that policies are rendered for."""

    bucket: str
    env: str = "local"
    project: str = "Chronos-Training"
    region: str = "us-east-1"
    account_id: str = "123456789012"

    def role_arn(self, kind: str) -> str:
        """Return the ARN of the role `instance` or `scheduler`."""
        return f"arn:aws:iam::{self.account_id}:role/chronos-training-{self.env}-{kind}"


def variables(role: str, deployment: Deployment) -> Json:
    """Return a role's inputs and everything in its vars/, with every template rendered."""
    known: Json = {f"{role}_{name}": value for name, value in vars(deployment).items()}
    for path in sorted((ROLES / role / "vars/main").glob("*.yml")):
        known |= yaml.safe_load(path.read_text())
    while "{{" in json.dumps(known):  # a variable may be made of others
        known = _rendered(known, known)
    return known


def trust(role: str, deployment: Deployment) -> Json:
    """Return a role's trust policy."""
    text = (ROLES / role / "templates/trust_policy.json.j2").read_text()
    rendered: Json = json.loads(_render(text, variables(role, deployment)))
    return rendered


def _rendered(value: Any, known: Json) -> Any:
    if isinstance(value, dict):
        return {key: _rendered(one, known) for key, one in value.items()}
    if isinstance(value, list):
        return [_rendered(one, known) for one in value]
    return _render(value, known) if isinstance(value, str) else value


def _render(text: str, known: Json) -> str:
    return str(jinja2.Template(text, undefined=jinja2.StrictUndefined).render(known))


def instance_policy(deployment: Deployment) -> Json:
    """Return what an instance may."""
    found: Json = variables("training_identity", deployment)["training_identity_policy"]
    return found


def guard_policy(deployment: Deployment) -> Json:
    """Return what the termination schedule may."""
    found: Json = variables("training_guard", deployment)["training_guard_policy"]
    return found


def people_policy(kind: str, deployment: Deployment) -> Json:
    """Return what a person may: one of control.provision.names.TASKS."""
    found: Json = variables("training_access", deployment)[f"training_access_{kind}_policy"]
    return found


def make_roles(iam: Any, deployment: Deployment) -> None:
    """Make the instance's role with its profile, and the scheduler's role."""
    for kind, role, policy in (
        ("instance", "training_identity", instance_policy(deployment)),
        ("scheduler", "training_guard", guard_policy(deployment)),
    ):
        name = f"chronos-training-{deployment.env}-{kind}"
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(role, deployment)))
        iam.put_role_policy(RoleName=name, PolicyName=f"training-{kind}", PolicyDocument=json.dumps(policy))
    profile = f"chronos-training-{deployment.env}-instance"
    iam.create_instance_profile(InstanceProfileName=profile)
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=profile)
