"""The state machine of the daily chain, with its log: community.aws's module knows no logging configuration."""

from __future__ import annotations

import json
from typing import Any

from chronos_training.core import aws
from chronos_training.core.errors import ConfigurationError


def ensure_present(
    sfn: Any, name: str, definition: str, role_arn: str, log_group_arn: str, tags: dict[str, str], *, check_mode: bool
) -> dict[str, Any]:
    """Make the machine, or bring it to this definition. Returns changed, diff and the ARN (empty before it is made)."""
    try:
        whole = json.dumps(json.loads(definition), indent=1)
    except ValueError as error:
        raise ConfigurationError(f"The definition of {name} is not JSON: {error}.") from error
    wanted = {"definition": whole, "roleArn": role_arn, "loggingConfiguration": _logging(log_group_arn)}
    with aws.explained(f"look for the state machine {name}"):
        pages = sfn.get_paginator("list_state_machines").paginate()
        arn = next(
            (one["stateMachineArn"] for page in pages for one in page["stateMachines"] if one["name"] == name), ""
        )
        found = sfn.describe_state_machine(stateMachineArn=arn) if arn else {}
        tagged = (
            {one["key"]: one["value"] for one in sfn.list_tags_for_resource(resourceArn=arn)["tags"]} if arn else {}
        )
    present = {key: found.get(key) for key in wanted}
    if found:
        present["definition"] = json.dumps(json.loads(found["definition"]), indent=1)
    changed = [key for key in wanted if present[key] != wanted[key]]
    untagged = {key: value for key, value in tags.items() if tagged.get(key) != value}
    result = {"changed": bool(changed or untagged), "arn": arn, "properties": changed + (["tags"] if untagged else [])}
    result["diff"] = {"before": _text(present), "after": _text(wanted)}
    if check_mode or not result["changed"]:
        return result
    listed = [{"key": key, "value": value} for key, value in untagged.items()]
    with aws.explained(f"write the state machine {name}"):
        if not arn:
            made = sfn.create_state_machine(name=name, type="STANDARD", tags=listed, **wanted)
            return result | {"arn": made["stateMachineArn"]}
        if changed:
            sfn.update_state_machine(stateMachineArn=arn, **wanted)
        if untagged:
            sfn.tag_resource(resourceArn=arn, tags=listed)
    return result


def _logging(log_group_arn: str) -> dict[str, Any]:
    group = {"cloudWatchLogsLogGroup": {"logGroupArn": f"{log_group_arn}:*"}}
    return {"level": "ALL", "includeExecutionData": True, "destinations": [group]}


def _text(what: dict[str, Any]) -> str:
    rest = {key: value for key, value in what.items() if key != "definition"}
    return f"{what['definition'] or ''}\n{json.dumps(rest, indent=1)}\n"
