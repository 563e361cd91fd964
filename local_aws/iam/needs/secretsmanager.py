"""What a request to Secrets Manager needs. An ARN ends with six random characters that the name does not have.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
"""

from __future__ import annotations

import json

from local_aws.calls import Call, operations_of
from local_aws.iam.policies import Need

_WITHOUT_SECRET = {"GetRandomPassword", "ListSecrets"}


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given = call.parameters
    if call.action not in operations_of("secretsmanager"):
        return None
    if call.action in _WITHOUT_SECRET:
        return [Need(f"secretsmanager:{call.action}", "*")]
    if call.action == "BatchGetSecretValue":
        listed = json.loads(given.get("SecretIdList", "[]"))
        needs = [Need("secretsmanager:BatchGetSecretValue", "*")]
        return needs + [_need("GetSecretValue", one, call, account) for one in listed]
    if call.action == "CreateSecret":
        tags = {tag["Key"]: tag.get("Value", "") for tag in json.loads(given.get("Tags", "[]"))}
        context: dict[str, str | list[str]] = {f"aws:requesttag/{key.lower()}": value for key, value in tags.items()}
        context |= {"aws:tagkeys": list(tags)} if tags else {}
        context["secretsmanager:name"] = given.get("Name", "")
        # Not a random end: nobody knows it yet, and a policy can only have ?????? there.
        arn = f"arn:aws:secretsmanager:{call.region}:{account}:secret:{given.get('Name', '')}-000000"
        needs = [Need("secretsmanager:CreateSecret", arn, context)]
        return [*needs, Need("secretsmanager:TagResource", arn, context)] if tags else needs
    return [_need(call.action, given.get("SecretId", ""), call, account)]


def _need(action: str, identity: str, call: Call, account: str) -> Need:
    from local_aws.services.secretsmanager.secrets import find_secret

    secret = find_secret(identity, call.region)
    context: dict[str, str | list[str]] = {"secretsmanager:secretid": identity}
    if "VersionStage" in call.parameters or action == "GetSecretValue":
        context["secretsmanager:versionstage"] = call.parameters.get("VersionStage", "AWSCURRENT")
    if secret is None:
        arn = f"arn:aws:secretsmanager:{call.region}:{account}:secret:{identity}-000000"
        return Need(f"secretsmanager:{action}", identity if identity.startswith("arn:") else arn, context)
    tags = {tag["Key"]: tag.get("Value", "") for tag in getattr(secret, "tags", None) or []}
    context |= {f"aws:resourcetag/{key.lower()}": value for key, value in tags.items()}
    return Need(f"secretsmanager:{action}", secret.arn, context)
