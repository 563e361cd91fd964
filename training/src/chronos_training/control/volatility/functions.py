"""Lambda functions from images, by digest, with versions behind an alias.

The collection's module updates an image's function in every pass, publishes a version of new code without new settings, and knows
no weights of an alias.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

from chronos_training.core import aws

_WAIT = {"Delay": 1, "MaxAttempts": 300}


@dataclass(frozen=True)
class Function:
    """A function as it shall be."""

    name: str
    role_arn: str
    image_uri: str
    """REPOSITORY@sha256:DIGEST."""
    log_group: str
    description: str = ""
    command: tuple[str, ...] = ()
    """What the image runs in place of its CMD."""
    memory_mb: int = 128
    timeout_seconds: int = 3
    environment: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """Return what CreateFunction and UpdateFunctionConfiguration take beside the code."""
        return {
            "Role": self.role_arn,
            "Description": self.description,
            "MemorySize": self.memory_mb,
            "Timeout": self.timeout_seconds,
            "Environment": {"Variables": self.environment},
            "ImageConfig": {"Command": list(self.command)} if self.command else {},
            "LoggingConfig": {"LogFormat": "JSON", "LogGroup": self.log_group},
        }


def ensure_present(
    client: Any, wanted: Function, *, alias: str = "", weight: float = 1.0, check_mode: bool
) -> dict[str, Any]:
    """Make or change the function; with `alias`, publish it and let `weight` of the requests to the alias have it.

    The other requests have the version that the alias named before. Returns changed, arn, version (empty without an alias, or while it
    is only previewed) and diff.
    """
    with aws.explained(f"deploy the function {wanted.name}"):
        found = _find(client, wanted.name)
        differs = ["the function"] if found is None else _differences(found, wanted)
        replaced = any(not line.startswith("tag:") for line in differs)
        if differs and not check_mode:
            _make(client, wanted) if found is None else _update(client, wanted, found, differs)
        result = {"changed": bool(differs), "arn": "" if found is None else found["Configuration"]["FunctionArn"]}
        version, moved = _move(client, wanted, alias, weight, replaced, check_mode) if alias else ("", [])
    lines = [*differs, *moved]
    return {
        **result,
        "changed": bool(lines),
        "version": version,
        "diff": {"before": "", "after": "".join(f"{line}\n" for line in lines)},
    }


def ensure_absent(client: Any, name: str, *, check_mode: bool) -> dict[str, Any]:
    """Delete the function with its versions. Returns changed."""
    with aws.explained(f"delete the function {name}"):
        there = _find(client, name) is not None
        if there and not check_mode:
            client.delete_function(FunctionName=name)
    return {"changed": there}


def _find(client: Any, name: str) -> dict[str, Any] | None:
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        found: dict[str, Any] = client.get_function(FunctionName=name)
        return found
    return None


def _differences(found: dict[str, Any], wanted: Function) -> list[str]:
    """Return what of the function is not as it shall be, one line for each: the names, and no value of a variable."""
    lines = [] if _has_code(found["Configuration"], wanted) else [f"image: {wanted.image_uri}"]
    lines += [f"settings: {name}" for name in _other_settings(found["Configuration"], wanted)]
    missing = wanted.tags.items() - found.get("Tags", {}).items()
    return lines + [f"tag: {name}" for name, _ in sorted(missing)]


def _has_code(configuration: dict[str, Any], wanted: Function) -> bool:
    return str(configuration["CodeSha256"]) == wanted.image_uri.rpartition("@sha256:")[2]


def _other_settings(configuration: dict[str, Any], wanted: Function) -> list[str]:
    image = configuration.get("ImageConfigResponse", {}).get("ImageConfig", {})
    now = {
        **{name: configuration.get(name) for name in ("Role", "MemorySize", "Timeout")},
        "Description": configuration.get("Description", ""),
        "Environment": {"Variables": configuration.get("Environment", {}).get("Variables", {})},
        "ImageConfig": {name: value for name, value in image.items() if value},
        "LoggingConfig": {name: configuration.get("LoggingConfig", {}).get(name) for name in ("LogFormat", "LogGroup")},
    }
    return [name for name, value in wanted.settings().items() if now[name] != value]


def _make(client: Any, wanted: Function) -> None:
    settings = {name: value for name, value in wanted.settings().items() if value}
    client.create_function(
        FunctionName=wanted.name, PackageType="Image", Code={"ImageUri": wanted.image_uri}, Tags=wanted.tags, **settings
    )
    client.get_waiter("function_active_v2").wait(FunctionName=wanted.name, WaiterConfig=_WAIT)


def _update(client: Any, wanted: Function, found: dict[str, Any], differs: list[str]) -> None:
    kinds = {line.partition(":")[0] for line in differs}
    if "settings" in kinds:
        client.update_function_configuration(FunctionName=wanted.name, **wanted.settings())
        client.get_waiter("function_updated_v2").wait(FunctionName=wanted.name, WaiterConfig=_WAIT)
    if "image" in kinds:
        client.update_function_code(FunctionName=wanted.name, ImageUri=wanted.image_uri)
        client.get_waiter("function_updated_v2").wait(FunctionName=wanted.name, WaiterConfig=_WAIT)
    if "tag" in kinds:
        client.tag_resource(Resource=found["Configuration"]["FunctionArn"], Tags=wanted.tags)


def _move(
    client: Any, wanted: Function, alias: str, weight: float, replaced: bool, check_mode: bool
) -> tuple[str, list[str]]:
    """Publish the function unless a version of the alias is what it shall be, and let the alias name it."""
    now = _alias(client, wanted.name, alias)
    version = "" if replaced else _published(client, wanted, now)
    if not version:
        if check_mode:
            return "", [f"a new version, {_share(weight if now else 1.0)} of the requests to {alias}"]
        # Without a change since the last version this names that one, so nothing is lost between here and the next lines.
        version = str(client.publish_version(FunctionName=wanted.name)["Version"])
    first = version if now is None or weight >= 1 else now["FunctionVersion"]
    weights = {} if first == version else {version: weight}
    if now is not None and (now["FunctionVersion"], _weights(now)) == (first, weights):
        return version, []
    if not check_mode:
        named = {"FunctionName": wanted.name, "Name": alias, "FunctionVersion": first}
        if now is None:
            client.create_alias(**named)
        else:
            client.update_alias(**named, RoutingConfig={"AdditionalVersionWeights": weights})
    return version, [f"version {version}, {_share(weights.get(version, 1.0))} of the requests to {alias}"]


def _alias(client: Any, name: str, alias: str) -> dict[str, Any] | None:
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        found: dict[str, Any] = client.get_alias(FunctionName=name, Name=alias)
        return found
    return None


def _weights(alias: dict[str, Any]) -> dict[str, float]:
    return dict(alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}))


def _published(client: Any, wanted: Function, alias: dict[str, Any] | None) -> str:
    """Return the version of the alias that is what the function shall be, or nothing."""
    for version in [] if alias is None else [*_weights(alias), alias["FunctionVersion"]]:
        found = client.get_function_configuration(FunctionName=wanted.name, Qualifier=version)
        if _has_code(found, wanted) and not _other_settings(found, wanted):
            return str(version)
    return ""


def _share(weight: float) -> str:
    return "all" if weight >= 1 else f"{weight:.0%}"
