"""The SSM parameters that tell launch, and other tools, what provisioning made (C17). All of them in one pass."""

from __future__ import annotations

from typing import Any, Literal

from chronos_training.core import aws
from chronos_training.core.aws_types import SSMClient

STRING_LISTS = ("subnet_ids",)
# DeleteParameters takes at most ten names.
DELETE_AT_ONCE = 10


def ensure_present(
    ssm: SSMClient, path: str, values: dict[str, str], tags: dict[str, str], *, check_mode: bool
) -> dict[str, Any]:
    """Write the parameters below `path` that differ, and their tags. Returns changed and diff."""
    before = read(ssm, path)
    differing = {name: value for name, value in values.items() if before.get(name) != value}
    untagged = [name for name in values if name in before and not _has_tags(ssm, path + name, tags)]
    tag_list: list[Any] = [{"Key": key, "Value": value} for key, value in tags.items()]
    if not check_mode:
        for name, value in differing.items():
            kind: Literal["String", "StringList"] = "StringList" if name in STRING_LISTS else "String"
            with aws.explained(f"write the parameter {path}{name}"):
                # SSM refuses tags together with Overwrite, so an existing one is tagged below.
                if name in before:
                    ssm.put_parameter(Name=path + name, Value=value, Type=kind, Overwrite=True)
                else:
                    ssm.put_parameter(Name=path + name, Value=value, Type=kind, Tags=tag_list)
        for name in untagged:
            with aws.explained(f"tag the parameter {path}{name}"):
                ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=path + name, Tags=tag_list)
    old = {path + name: before[name] for name in differing if name in before}
    new = {path + name: value for name, value in differing.items()}
    return {"changed": bool(differing or untagged), "diff": {"before": old, "after": new}}


def ensure_absent(ssm: SSMClient, path: str, *, check_mode: bool) -> dict[str, Any]:
    """Delete every parameter directly below `path`. Returns changed and diff."""
    before = read(ssm, path)
    names = [path + name for name in sorted(before)]
    if not check_mode:
        for start in range(0, len(names), DELETE_AT_ONCE):
            with aws.explained(f"delete the parameters {path}"):
                ssm.delete_parameters(Names=names[start : start + DELETE_AT_ONCE])
    return {"changed": bool(names), "diff": {"before": {path + k: v for k, v in before.items()}, "after": {}}}


def read(ssm: SSMClient, path: str) -> dict[str, str]:
    """Return the parameters directly below `path`, by their last part. TrainingError when SSM cannot be read."""
    with aws.explained(f"read the parameters {path}"):
        pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path)
        return {p["Name"][len(path) :]: p["Value"] for page in pages for p in page["Parameters"]}


def _has_tags(ssm: SSMClient, name: str, tags: dict[str, str]) -> bool:
    with aws.explained(f"read the tags of the parameter {name}"):
        found = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    return tags.items() <= {tag["Key"]: tag["Value"] for tag in found}.items()
