"""What a request to API Gateway needs: the HTTP method as action, and its path as resource.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
"""

from __future__ import annotations

import json
import urllib.parse

from local_aws.calls import Call, operations_of
from local_aws.iam.policies import Need


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    if call.action not in operations_of("apigateway"):
        return None
    path = str(call.environ.get("PATH_INFO", "")).rstrip("/")
    prefix = f"arn:aws:apigateway:{call.region}::"
    needs = [Need(f"apigateway:{call.method}", f"{prefix}{path}")]
    if call.method == "POST" and call.parameters.get("tags"):
        needs.append(Need("apigateway:PUT", f"{prefix}/tags/{urllib.parse.quote(prefix + path, safe='')}"))
    needs += [Need("iam:PassRole", role, {"iam:passedtoservice": "apigateway.amazonaws.com"}) for role in _passed(call)]
    return needs


def _passed(call: Call) -> list[str]:
    if call.action == "PutIntegration" and call.parameters.get("credentials"):
        return [call.parameters["credentials"]]
    if call.action == "UpdateAccount":
        operations = json.loads(call.parameters.get("patchOperations", "[]"))
        return [o["value"] for o in operations if o.get("path") == "/cloudwatchRoleArn" and o.get("value")]
    return []
