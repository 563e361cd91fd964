"""What a request to Lambda needs.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
"""

from __future__ import annotations

import json
from typing import Any

from local_aws.calls import Call
from local_aws.iam import decisions
from local_aws.iam.policies import Need

# Of the function alone; those of the second kind also of its version or alias, when that is named.
_OF_FUNCTION = frozenset(
    [
        "CreateAlias", "CreateFunction", "DeleteAlias", "DeleteFunctionConcurrency", "GetAlias", "GetFunctionConcurrency",
        "ListAliases", "ListFunctionEventInvokeConfigs", "ListVersionsByFunction", "PublishVersion",
        "PutFunctionConcurrency", "UpdateAlias", "UpdateFunctionCode", "UpdateFunctionConfiguration",
    ]
)  # fmt: skip
_OF_QUALIFIED = frozenset(
    [
        "AddPermission", "DeleteFunction", "DeleteFunctionEventInvokeConfig", "GetFunction", "GetFunctionConfiguration",
        "GetFunctionEventInvokeConfig", "GetPolicy", "Invoke", "PutFunctionEventInvokeConfig", "RemovePermission",
        "UpdateFunctionEventInvokeConfig",
    ]
)  # fmt: skip
_OF_TAGS = frozenset(["ListTags", "TagResource", "UntagResource"])


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given, action = call.parameters, call.action
    if action in ("ListFunctions", "GetAccountSettings"):
        return [Need(f"lambda:{action}", "*")]
    if action in _OF_TAGS:
        return [Need(f"lambda:{action}", given.get("Resource") or given.get("ARN", ""))]
    if action not in _OF_FUNCTION | _OF_QUALIFIED:
        return None
    qualifier = given.get("Qualifier", "") if action in _OF_QUALIFIED else ""
    arn = _arn(given["FunctionName"], call.region, account, qualifier)
    context: dict[str, str | list[str]] = {"lambda:principal": given["Principal"]} if "Principal" in given else {}
    needs = [Need("lambda:InvokeFunction" if action == "Invoke" else f"lambda:{action}", arn, context)]
    if action == "CreateFunction" and given.get("Tags"):
        needs.append(Need("lambda:TagResource", arn))
    if action in ("CreateFunction", "UpdateFunctionConfiguration") and given.get("Role"):
        passed: dict[str, str | list[str]] = {"iam:passedtoservice": "lambda.amazonaws.com"}
        needs.append(Need("iam:PassRole", given["Role"], passed))
    code = given if action == "UpdateFunctionCode" else _loaded(given.get("Code"))
    if action in ("CreateFunction", "UpdateFunctionCode"):
        needs += _code(code, call.region, account)
    return needs


def _code(code: dict[str, Any], region: str, account: str) -> list[Need]:
    """The code is read with the caller's permissions."""
    if code.get("S3Bucket"):
        action = "s3:GetObjectVersion" if code.get("S3ObjectVersion") else "s3:GetObject"
        return [Need(action, f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}")]
    if code.get("ImageUri"):
        name = str(code["ImageUri"]).partition("/")[2].partition("@")[0].partition(":")[0]
        repository = f"arn:aws:ecr:{region}:{account}:repository/{name}"
        needs = [Need("ecr:BatchGetImage", repository), Need("ecr:GetDownloadUrlForLayer", repository)]
        if not _lets_lambda_in(repository):  # then Lambda changes the repository's policy, in its caller's name
            needs += [Need("ecr:GetRepositoryPolicy", repository), Need("ecr:SetRepositoryPolicy", repository)]
        return needs
    return []


def _lets_lambda_in(repository: str) -> bool:
    from local_aws.services.awslambda.images import lets_lambda_in

    policy_of = decisions.resource_policies.get("ecr")  # not there: nobody has used ECR yet
    return policy_of is not None and lets_lambda_in(repository, policy_of(repository))


def _arn(named: str, region: str, account: str, qualifier: str) -> str:
    """Return the ARN of what a call names: a name, a name with its qualifier, a part of the ARN or the whole."""
    parts = named.split(":")
    if "function" in parts:
        if named.startswith("arn:"):
            region = parts[3]
        parts = parts[parts.index("function") + 1 :]
    name, own = parts[0], parts[1] if len(parts) > 1 else ""
    which = (own or qualifier) if qualifier or own else ""
    return f"arn:aws:lambda:{region}:{account}:function:{name}{':' + which if which else ''}"


def _loaded(text: str | None) -> dict[str, Any]:
    return json.loads(text) if text else {}
