"""What a request to the parameter store needs."""

from __future__ import annotations

import json

from local_aws.calls import Call
from local_aws.iam.policies import Need


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given = call.parameters

    def parameter(name: str) -> str:
        owner = "" if name.startswith("/aws/") else account  # AWS's own public parameters belong to nobody
        return f"arn:aws:ssm:{call.region}:{owner}:parameter/{name.removeprefix('/')}"

    context: dict[str, str | list[str]] = {}
    if call.action in ("GetParameter", "PutParameter", "DeleteParameter", "GetParameterHistory"):
        names = [given["Name"]]
    elif call.action in ("GetParameters", "DeleteParameters"):
        names = json.loads(given["Names"])
    elif call.action == "GetParametersByPath":
        names, context = [given["Path"]], {"ssm:recursive": given.get("Recursive", "false")}
    elif call.action in ("ListTagsForResource", "AddTagsToResource", "RemoveTagsFromResource"):
        names = [given["ResourceId"]]
    elif call.action == "DescribeParameters":
        return [Need("ssm:DescribeParameters", "*")]
    else:
        return None
    needs = [Need(f"ssm:{call.action}", parameter(name), context) for name in names]
    if call.action == "PutParameter" and "Tags" in given:
        needs += [Need("ssm:AddTagsToResource", parameter(name)) for name in names]
    return needs
