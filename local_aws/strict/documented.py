"""The rules that botocore's models lack. Each has the document that it comes from.

A rule takes the service's operation and its parameters, and yields what they break.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from moto.iam.models import iam_backends

from chronos_training.control.options.aws_patterns import fits

Parameters = dict[str, Any]

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_LONGEST_KEY = 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
_LARGEST_BUCKET_POLICY = 20 * 1024
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
_EARLIEST_STANDARD_IA = 30
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html, "Tag naming limits and requirements"
_TAG_TEXT = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"
_MOST_TAGS, _LONGEST_TAG_KEY, _LONGEST_TAG_VALUE = 50, 128, 256
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
_GROUP_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html: before base64
_LARGEST_USER_DATA = 16 * 1024
# https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
_GP3_GIB = (1, 65536)
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: without white space; inline ones together
_MANAGED_POLICY, _TRUST_POLICY = 6144, 2048
_INLINE_POLICIES = {"Role": 10240, "Group": 5120, "User": 2048}
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
_PARAMETER_NAME = re.compile(r"[a-zA-Z0-9_.\-/]{1,1011}")
_PARAMETER_LEVELS, _STANDARD_PARAMETER = 15, 4096
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
_QUEUE = re.compile(r"[a-zA-Z0-9_-]{1,80}|[a-zA-Z0-9_-]{1,75}\.fifo")
_RETENTION_SECONDS = (60, 1_209_600)


@dataclass(frozen=True)
class Refusal:
    """What AWS answers."""

    code: str
    message: str
    status: int = 400


def refusals(service: str, action: str, given: Parameters) -> Iterator[Refusal]:
    """Yield what the parameters of an operation break."""
    rule = _BY_SERVICE.get(service)
    if rule is not None:
        yield from rule(action, given)


def bucket_name_is_right(name: str) -> bool:
    """Return whether S3 would make a general purpose bucket of this name."""
    return (
        _BUCKET.fullmatch(name) is not None
        and ".." not in name
        and not re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name)
        and not name.startswith(_BUCKET_PREFIXES)
        and not name.endswith(_BUCKET_SUFFIXES)
    )


def _s3(action: str, given: Parameters) -> Iterator[Refusal]:
    bucket = given.get("Bucket", "")
    if bucket and not bucket.startswith("arn:") and not bucket_name_is_right(bucket):
        yield Refusal("InvalidBucketName", "The specified bucket is not valid.")
    if len(given.get("Key", "").encode()) > _LONGEST_KEY:
        yield Refusal("KeyTooLongError", "Your key is too long")
    if action in ("PutBucketTagging", "PutObjectTagging"):
        yield from _tags(given.get("Tagging", {}).get("TagSet", []), "InvalidTag", unique=True)
    if action == "PutBucketPolicy" and len(str(given.get("Policy", "")).encode()) > _LARGEST_BUCKET_POLICY:
        yield Refusal("PolicyTooLarge", "Policies must not exceed the maximum allowed size of 20 KB")
    if action == "PutBucketLifecycleConfiguration":
        yield from _lifecycle(given.get("LifecycleConfiguration", {}).get("Rules", []))


def _lifecycle(rules: list[Parameters]) -> Iterator[Refusal]:
    for rule in rules:
        expires = rule.get("Expiration", {}).get("Days")
        abort = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
        if any(days is not None and int(days) < 1 for days in (expires, abort)):
            yield Refusal("InvalidArgument", "'Days' for Expiration action must be a positive integer")
        for move in rule.get("Transitions", []):
            days = int(move.get("Days", 0))
            if move.get("StorageClass") == "STANDARD_IA" and days < _EARLIEST_STANDARD_IA:
                said = f"'Days' in Transition action must be greater than or equal to {_EARLIEST_STANDARD_IA} for storageClass 'STANDARD_IA'"
                yield Refusal("InvalidArgument", said)
            if expires is not None and int(expires) <= days:
                yield Refusal(
                    "InvalidArgument", "'Days' in the Expiration action must be greater than 'Days' in the Transition"
                )


def _ec2(action: str, given: Parameters) -> Iterator[Refusal]:
    tag_lists = [given["Tags"]] if action == "CreateTags" and "Tags" in given else []
    tag_lists += [spec.get("Tags", []) for spec in given.get("TagSpecifications", [])]
    for tags in tag_lists:
        yield from _tags(tags, "InvalidParameterValue", text=None)  # EC2 alone takes any character
    if action == "CreateSecurityGroup":
        yield from _group(given)
    if action.startswith(("AuthorizeSecurityGroup", "UpdateSecurityGroupRuleDescriptions")):
        yield from _rule_descriptions(given.get("IpPermissions", []))
    if action == "RunInstances":
        yield from _launch(given)
    if action == "CreateVpc" and "CidrBlock" in given:
        yield from _range_of_addresses(given["CidrBlock"])


def _group(given: Parameters) -> Iterator[Refusal]:
    name, description = given.get("GroupName", ""), given.get("Description", "")
    if name.startswith("sg-"):
        yield Refusal("InvalidParameterValue", "Group names may not be in the format sg-*")
    for parameter, text in (("groupName", name), ("GroupDescription", description)):
        if not _GROUP_TEXT.fullmatch(text):
            said = "Character sets beyond ASCII are not supported." if not text.isascii() else "Invalid characters."
            yield Refusal("InvalidParameterValue", f"Value ({text}) for parameter {parameter} is invalid. {said}")


def _rule_descriptions(permissions: list[Parameters]) -> Iterator[Refusal]:
    for permission in permissions:
        for kind in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds"):
            for end in permission.get(kind, []):
                if not _GROUP_TEXT.fullmatch(end.get("Description", "")):
                    yield Refusal(
                        "InvalidParameterValue",
                        f"Invalid rule description '{end['Description']}'. Only 255 characters of "
                        "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$* are allowed.",
                    )


def _launch(given: Parameters) -> Iterator[Refusal]:
    if given.get("UserData"):
        try:
            size = len(base64.b64decode(given["UserData"], validate=True))
        except (binascii.Error, ValueError):
            yield Refusal("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.")
        else:
            if size > _LARGEST_USER_DATA:
                yield Refusal("InvalidParameterValue", f"User data is limited to {_LARGEST_USER_DATA} bytes")
    for mapping in given.get("BlockDeviceMappings", []):
        ebs = mapping.get("Ebs", {})
        size = ebs.get("VolumeSize")
        if size is not None and ebs.get("VolumeType") == "gp3" and not _GP3_GIB[0] <= int(size) <= _GP3_GIB[1]:
            said = (
                f"Volume of {size}GiB is {'too small' if int(size) < _GP3_GIB[0] else 'too large'} for volume type gp3"
            )
            yield Refusal("InvalidParameterValue", said)


def _range_of_addresses(cidr: str) -> Iterator[Refusal]:
    """https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html. The rest of a range moto checks itself."""
    try:
        block = ipaddress.IPv4Network(cidr, strict=False)
    except ValueError:
        return
    if block.is_loopback or block.is_link_local or block.is_multicast or block.is_unspecified:
        yield Refusal("InvalidVpc.Range", f"The CIDR '{cidr}' is invalid.")


def _iam(action: str, given: Parameters) -> Iterator[Refusal]:
    yield from _tags(given.get("Tags", []), "InvalidInput", unique=True, ignore_case=True)
    document = given.get("PolicyDocument") or given.get("AssumeRolePolicyDocument") or ""
    size = _size_of_policy(document)
    if action in ("CreatePolicy", "CreatePolicyVersion") and size > _MANAGED_POLICY:
        yield _too_large("PolicySize", _MANAGED_POLICY)
    if action in ("CreateRole", "UpdateAssumeRolePolicy"):
        trust = _size_of_policy(given.get("AssumeRolePolicyDocument") or given.get("PolicyDocument") or "")
        if trust > _TRUST_POLICY:
            yield _too_large("ACLSizePerRole", _TRUST_POLICY)
    for kind, limit in _INLINE_POLICIES.items():
        if action == f"Put{kind}Policy":
            others = _inline_policies(kind, given.get(f"{kind}Name", "")) | {given.get("PolicyName", ""): document}
            if sum(map(_size_of_policy, others.values())) > limit:
                yield _too_large(f"maximum policy size of {limit} bytes exceeded for {kind.lower()}", limit)


def _size_of_policy(document: Any) -> int:
    return len("".join((document if isinstance(document, str) else json.dumps(document)).split()))


def _inline_policies(kind: str, name: str) -> dict[str, Any]:
    for backends in list(iam_backends.values()):
        entity: Any = getattr(backends["aws"], f"{kind.lower()}s").get(name)
        if kind == "Role":
            entity = next((role for role in backends["aws"].roles.values() if role.name == name), None)
        if entity is not None:
            return dict(entity.policies)
    return {}


def _too_large(what: str, limit: int) -> Refusal:
    return Refusal("LimitExceeded", f"Cannot exceed quota for {what}: {limit}", 409)


def _ssm(action: str, given: Parameters) -> Iterator[Refusal]:
    yield from _tags(given.get("Tags", []), "ValidationException", unique=True)
    if action != "PutParameter":
        return
    name, value = given.get("Name", ""), given.get("Value", "")
    levels = name.strip("/").split("/")
    if not _PARAMETER_NAME.fullmatch(name) or name.endswith("/") or levels[0].lower().startswith(("aws", "ssm")):
        yield Refusal(
            "ValidationException",
            'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive). Only a mix of letters, numbers and '
            "the following 3 symbols .-_ are allowed; between them / as a hierarchy.",
        )
    if len(levels) > _PARAMETER_LEVELS:
        yield Refusal("HierarchyLevelLimitExceededException", f"A hierarchy has at most {_PARAMETER_LEVELS} levels.")
    if given.get("Tier", "Standard") == "Standard" and len(value.encode()) > _STANDARD_PARAMETER:
        yield Refusal(
            "ValidationException", f"Standard tier parameters support a maximum of {_STANDARD_PARAMETER} characters."
        )
    if not value:
        yield Refusal("ValidationException", "Parameter value: must have length greater than or equal to 1.")


def _sqs(action: str, given: Parameters) -> Iterator[Refusal]:
    if action == "CreateQueue" and not _QUEUE.fullmatch(given.get("QueueName", "")):
        said = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        yield Refusal("InvalidParameterValue", said)
    tags = [{"Key": key, "Value": value} for key, value in (given.get("tags") or given.get("Tags") or {}).items()]
    yield from _tags(tags, "InvalidParameterValue")
    retention = given.get("Attributes", {}).get("MessageRetentionPeriod")
    if retention is not None and not (
        str(retention).isdigit() and _RETENTION_SECONDS[0] <= int(retention) <= _RETENTION_SECONDS[1]
    ):
        yield Refusal("InvalidAttributeValue", "Invalid value for the parameter MessageRetentionPeriod.")


def _scheduler(action: str, given: Parameters) -> Iterator[Refusal]:
    yield from _tags(given.get("Tags", []), "ValidationException", unique=True)
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html: the Input is the request.
    text = given.get("Target", {}).get("Input")
    if text is not None and ":aws-sdk:" in given.get("Target", {}).get("Arn", ""):
        try:
            json.loads(text)
        except ValueError:
            yield Refusal("ValidationException", "Invalid RequestJson provided. Reason: Input is not valid JSON.")


def _tags(
    tags: list[Parameters], code: str, *, text: str | None = _TAG_TEXT, unique: bool = False, ignore_case: bool = False
) -> Iterator[Refusal]:
    pairs = [(str(tag.get("Key", "")), str(tag.get("Value", ""))) for tag in tags]
    if len(pairs) > _MOST_TAGS:
        yield Refusal("TooManyTags" if code == "InvalidTag" else code, f"Tag limit is {_MOST_TAGS}.")
    for key, value in pairs:
        if not 1 <= len(key) <= _LONGEST_TAG_KEY or len(value) > _LONGEST_TAG_VALUE:
            yield Refusal(
                code, f"Tag keys have 1 to {_LONGEST_TAG_KEY} characters, values {_LONGEST_TAG_VALUE} at most: '{key}'."
            )
        elif key.lower().startswith("aws:"):
            yield Refusal(code, f"Tag keys starting with 'aws:' are reserved for internal use: '{key}'.")
        elif text is not None and not all(fits(text, part) for part in (key, value)):
            yield Refusal(code, f"The tag '{key}' with the value '{value}' has characters that are not allowed.")
    keys = [key.lower() if ignore_case else key for key, _ in pairs]
    if unique and len(set(keys)) < len(keys):
        yield Refusal(code, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")


_BY_SERVICE: dict[str, Callable[[str, Parameters], Iterator[Refusal]]] = {
    "ec2": _ec2,
    "iam": _iam,
    "s3": _s3,
    "scheduler": _scheduler,
    "sqs": _sqs,
    "ssm": _ssm,
}
