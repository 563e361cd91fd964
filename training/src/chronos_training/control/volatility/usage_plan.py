"""A usage plan of API Gateway and its key, whose value a secret holds. No collection has a module for either."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

from chronos_training.core import aws
from chronos_training.core.errors import ConfigurationError

CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"


@dataclass(frozen=True)
class UsagePlan:
    """A plan as it shall be."""

    name: str
    api_id: str
    stage: str
    rate: float
    """Requests a second, of each key."""
    burst: int
    quota: int
    """Requests a day, of each key."""
    tags: dict[str, str] = field(default_factory=dict)


def ensure_present(
    gateway: Any, secrets: Any, wanted: UsagePlan, secret: str, *, keep_previous: bool = False, check_mode: bool
) -> dict[str, Any]:
    """Make or change the plan and the key. Returns changed, plan_id, key_id and diff; of the key's value nothing.

    The value of a key cannot be changed, so a secret's new version is a new key, named after the version; the older ones
    are switched off, the last one not with `keep_previous`.
    """
    with aws.explained(f"make the usage plan {wanted.name}"):
        found = _find(gateway, wanted.name)
        plan_id, lines = _plan(gateway, wanted, found, check_mode)
        versions = _versions(secrets, secret, keep_previous)
        if not versions and not check_mode:
            raise ConfigurationError(
                f"The secret {secret} has no value.", hint="Provision the stack, or store a key in it."
            )
        key_id, more = _keys(gateway, wanted, plan_id, versions, check_mode)
    lines += more
    diff = {"before": "", "after": "".join(f"{line}\n" for line in lines)}
    return {"changed": bool(lines), "plan_id": plan_id, "key_id": key_id, "diff": diff}


def ensure_absent(gateway: Any, name: str, *, check_mode: bool) -> dict[str, Any]:
    """Delete the plan and its keys; an API's stage must be gone first. Returns changed."""
    with aws.explained(f"delete the usage plan {name}"):
        found, keys = _find(gateway, name), _ours(gateway, name)
        if not check_mode:
            if found is not None:
                patch = [
                    {"op": "remove", "path": "/apiStages", "value": f"{one['apiId']}:{one['stage']}"}
                    for one in found.get("apiStages", [])
                ]
                if patch:
                    gateway.update_usage_plan(usagePlanId=found["id"], patchOperations=patch)
                gateway.delete_usage_plan(usagePlanId=found["id"])
            for one in keys:
                gateway.delete_api_key(apiKey=one["id"])
    return {"changed": found is not None or bool(keys)}


def _find(gateway: Any, name: str) -> dict[str, Any] | None:
    pages = gateway.get_paginator("get_usage_plans").paginate()
    return next((one for page in pages for one in page["items"] if one["name"] == name), None)


def _plan(gateway: Any, wanted: UsagePlan, found: dict[str, Any] | None, check_mode: bool) -> tuple[str, list[str]]:
    stages = [{"apiId": wanted.api_id, "stage": wanted.stage}]
    throttle, quota = {"rateLimit": wanted.rate, "burstLimit": wanted.burst}, {"limit": wanted.quota, "period": "DAY"}
    if found is None:
        if check_mode:
            return "", ["the usage plan"]
        made = gateway.create_usage_plan(
            name=wanted.name, apiStages=stages, throttle=throttle, quota=quota, tags=wanted.tags
        )
        return str(made["id"]), ["the usage plan"]
    patch = [
        {"op": "replace", "path": f"/{kind}/{name}", "value": str(value)}
        for kind, values in (("throttle", throttle), ("quota", quota))
        for name, value in values.items()
        if found.get(kind, {}).get(name) != value
    ]
    lines = [f"plan: {one['path']}" for one in patch]
    others = [{"apiId": one["apiId"], "stage": one["stage"]} for one in found.get("apiStages", [])]
    if others != stages and wanted.api_id:
        lines.append("the plan's stage")
        moved = [("remove", one) for one in others if one not in stages] + [
            ("add", one) for one in stages if one not in others
        ]
        patch += [{"op": op, "path": "/apiStages", "value": f"{one['apiId']}:{one['stage']}"} for op, one in moved]
    if patch and not check_mode:
        gateway.update_usage_plan(usagePlanId=found["id"], patchOperations=patch)
    return str(found["id"]), lines


def _versions(secrets: Any, secret: str, keep_previous: bool) -> dict[str, str]:
    """Return the keys that shall be valid, the present one first: the version's short name → the value."""
    found = {}
    for stage in (CURRENT, PREVIOUS) if keep_previous else (CURRENT,):
        with contextlib.suppress(secrets.exceptions.ResourceNotFoundException):
            said = secrets.get_secret_value(SecretId=secret, VersionStage=stage)
            found[said["VersionId"][:8]] = str(said["SecretString"])
    return found


def _keys(
    gateway: Any, wanted: UsagePlan, plan_id: str, versions: dict[str, str], check_mode: bool
) -> tuple[str, list[str]]:
    """Make the keys of `versions`, put them into the plan, and switch every other one of this plan off."""
    there = {one["name"]: one for one in _ours(gateway, wanted.name)}
    lines, first = [] if versions else ["the key"], ""
    names = {f"{wanted.name}-{version}": value for version, value in versions.items()}
    for name, value in names.items():
        found = there.get(name)
        if found is None:
            lines.append(f"key {name}")
            if check_mode:
                continue
            found = gateway.create_api_key(name=name, value=value, enabled=True, tags=wanted.tags)
        first = first or str(found["id"])
        lines += _switch(gateway, found, True, check_mode)
        if plan_id and not _is_in(gateway, plan_id, found["id"]):
            lines.append(f"key {name} in the plan")
            if not check_mode:
                gateway.create_usage_plan_key(usagePlanId=plan_id, keyId=found["id"], keyType="API_KEY")
    for name, found in there.items():
        if names and name not in names:
            lines += _switch(gateway, found, False, check_mode)
    return first, lines


def _switch(gateway: Any, key: dict[str, Any], on: bool, check_mode: bool) -> list[str]:
    if key["enabled"] == on:
        return []
    if not check_mode:
        patch = [{"op": "replace", "path": "/enabled", "value": str(on).lower()}]
        gateway.update_api_key(apiKey=key["id"], patchOperations=patch)
    return [f"key {key['name']} is switched {'on' if on else 'off'}"]


def _is_in(gateway: Any, plan_id: str, key_id: str) -> bool:
    pages = gateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan_id)
    return any(one["id"] == key_id for page in pages for one in page["items"])


def _ours(gateway: Any, name: str) -> list[dict[str, Any]]:
    pages = gateway.get_paginator("get_api_keys").paginate(nameQuery=f"{name}-", includeValues=False)
    return [one for page in pages for one in page["items"] if one["name"].startswith(f"{name}-")]
