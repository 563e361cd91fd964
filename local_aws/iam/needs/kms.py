"""What a KMS request needs. Its resource is the key, also where an alias names it.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html
"""

from __future__ import annotations

import base64
import json

from local_aws.calls import Call, operations_of
from local_aws.iam.policies import Need

_WITHOUT_KEY = {"CreateKey", "ListKeys", "ListAliases", "GenerateRandom", "DescribeCustomKeyStores"}
_ALIASES = {"CreateAlias", "UpdateAlias", "DeleteAlias"}


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given, action = call.parameters, f"kms:{call.action}"
    if call.action not in operations_of("kms"):
        return None
    context = context_of(account, json.loads(given.get("EncryptionContext", "{}")))
    if call.action in _WITHOUT_KEY:
        needs = [Need(action, "*", context)]
        if call.action == "CreateKey" and "Tags" in given:
            needs.append(Need("kms:TagResource", "*", context))
        return needs
    if call.action == "ReEncrypt":
        source = given.get("SourceKeyId") or _key_in(given.get("CiphertextBlob", ""))
        return [
            Need("kms:ReEncryptFrom", _arn(source, call.region, account), context),
            Need("kms:ReEncryptTo", _arn(given.get("DestinationKeyId", ""), call.region, account), context),
        ]
    identity = given.get("KeyId") or given.get("TargetKeyId") or _key_in(given.get("CiphertextBlob", ""))
    if call.action == "DeleteAlias":
        identity = given.get("AliasName", "")
    elif identity.startswith("alias/"):
        context["kms:requestalias"] = identity
    needs = [Need(action, _arn(identity, call.region, account), context)]
    if call.action in _ALIASES:
        needs.append(Need(action, f"arn:aws:kms:{call.region}:{account}:{given.get('AliasName', '')}", context))
    return needs


def context_of(account: str, encryption: dict[str, str], via: str = "") -> dict[str, str | list[str]]:
    """Return the condition keys of a use of a key; `via` is the service that uses it for the caller."""
    context: dict[str, str | list[str]] = {"kms:calleraccount": account}
    context |= {f"kms:encryptioncontext:{name.lower()}": value for name, value in encryption.items()}
    if encryption:
        context["kms:encryptioncontextkeys"] = list(encryption)
    if via:
        context["kms:viaservice"] = via
    return context


def _arn(identity: str, region: str, account: str) -> str:
    from local_aws.services.kms.keys import find_key

    key = find_key(identity, region) if identity else None
    if key is not None:
        return str(key.arn)
    return identity if identity.startswith("arn:") else f"arn:aws:kms:{region}:{account}:key/{identity}"


def _key_in(ciphertext: str) -> str:
    from local_aws.services.kms.states import key_in

    try:
        return key_in(base64.b64decode(ciphertext))
    except ValueError:
        return ""
