"""Objects that S3 encrypts with a key of KMS: who writes or reads them must be allowed to use the key, and it must be usable.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import Any

from local_aws.calls import Call
from local_aws.iam import decisions
from local_aws.iam.needs.kms import context_of
from local_aws.iam.policies import Need
from local_aws.services.kms.keys import find_key
from local_aws.services.kms.states import refusal_of
from local_aws.strict.gate import added_rules
from local_aws.strict.rules import Refusal

_WRITES = {"PutObject", "CreateMultipartUpload", "CopyObject"}
_READS = {"GetObject", "HeadObject"}


def close_gap() -> None:
    """Let S3 refuse a key that cannot be used. moto takes any text for one."""
    added_rules.setdefault("s3", []).append(refusals_of)


@dataclass(frozen=True)
class Use:
    """A use of a key. `identity` as the request or the bucket names it; `what` is the encryption context, an ARN."""

    action: str
    identity: str
    what: str


def uses_of(call: Call) -> list[Use]:
    """Return the uses of keys that a request makes; AWS's own key aws/s3 is everybody's in the account."""
    given = call.parameters
    bucket = decisions.bucket(given.get("Bucket", ""))
    if bucket is None:
        return []
    uses = []
    if call.action in _WRITES:
        identity, by_bucket = _key_of_write(call, bucket)
        if identity:
            what = f"arn:aws:s3:::{given['Bucket']}" + ("" if by_bucket else f"/{given['Key']}")
            uses.append(Use("kms:GenerateDataKey", identity, what))
            if call.action == "CreateMultipartUpload":  # its parts are read when they are joined
                uses.append(Use("kms:Decrypt", identity, what))
    if call.action in _READS:
        uses += _reading(given["Bucket"], given.get("Key", ""))
    source = call.environ.get("HTTP_X_AMZ_COPY_SOURCE")
    if source:
        name, _, key = urllib.parse.unquote(source).partition("?")[0].removeprefix("/").partition("/")
        uses += _reading(name, key)
    return uses


def needs_of(call: Call, account: str) -> list[Need]:
    """Return what a request needs beside its actions of S3."""
    found = [(use, find_key(use.identity, call.region)) for use in uses_of(call)]
    return [
        Need(use.action, key.arn, context_of(account, {"aws:s3:arn": use.what}, f"s3.{call.region}.amazonaws.com"))
        for use, key in found
        if key is not None
    ]


def refusals_of(call: Call) -> list[Refusal]:
    """Return what S3 says of keys that are missing, disabled, or will be deleted."""
    found = [(use, find_key(use.identity, call.region)) for use in uses_of(call)]
    refusals = [
        ("NotFoundException", f"Invalid keyId '{use.identity}'") if key is None else refusal_of(key)
        for use, key in found
    ]
    return [Refusal(f"KMS.{code}", said) for code, said in filter(None, refusals)]


def _key_of_write(call: Call, bucket: Any) -> tuple[str, bool]:
    """The key that an object is written with (empty for none of the account's), and whether it is the bucket's key."""
    algorithm = call.environ.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION")
    named = call.environ.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID", "")
    rule = (bucket.encryption or {}).get("Rule", {})
    rule = rule[0] if isinstance(rule, list) else rule
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    if algorithm is None:
        algorithm = default.get("SSEAlgorithm", "")
    if not str(algorithm).startswith("aws:kms"):
        return "", False
    by_bucket = str(rule.get("BucketKeyEnabled", "")).lower() == "true"
    asked = call.environ.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_BUCKET_KEY_ENABLED")
    return named or str(default.get("KMSMasterKeyID") or ""), by_bucket if asked is None else asked.lower() == "true"


def _reading(name: str, key: str) -> list[Use]:
    bucket = decisions.bucket(name)
    found = bucket.keys.get(key) if bucket is not None else None
    if found is None or not getattr(found, "kms_key_id", None):
        return []
    by_bucket = str(found.bucket_key_enabled).lower() == "true"
    return [Use("kms:Decrypt", found.kms_key_id, f"arn:aws:s3:::{name}" + ("" if by_bucket else f"/{key}"))]
