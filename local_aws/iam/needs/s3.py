"""What an S3 request needs. Several operations go by another action's name.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

import importlib
import re
import sys
import urllib.parse
from xml.sax.saxutils import unescape

from local_aws.calls import Call
from local_aws.iam.conditions import KNOWN_KEYS
from local_aws.iam.policies import Need

_ON_BUCKET = {
    "CreateBucket": "CreateBucket",
    "DeleteBucket": "DeleteBucket",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketPolicy": "DeleteBucketPolicy",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAcl": "GetBucketAcl",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketLocation": "GetBucketLocation",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketOwnershipControls": "GetBucketOwnershipControls",
    "GetBucketPolicy": "GetBucketPolicy",
    "GetBucketTagging": "GetBucketTagging",
    "GetBucketVersioning": "GetBucketVersioning",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "PutBucketAcl": "PutBucketAcl",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketOwnershipControls": "PutBucketOwnershipControls",
    "PutBucketPolicy": "PutBucketPolicy",
    "PutBucketTagging": "PutBucketTagging",
    "PutBucketVersioning": "PutBucketVersioning",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
_ON_OBJECT = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteObject": "DeleteObject",
    "GetObject": "GetObject",
    "GetObjectAcl": "GetObjectAcl",
    "GetObjectAttributes": "GetObject",
    "GetObjectTagging": "GetObjectTagging",
    "HeadObject": "GetObject",
    "ListParts": "ListMultipartUploadParts",
    "PutObject": "PutObject",
    "PutObjectAcl": "PutObjectAcl",
    "PutObjectTagging": "PutObjectTagging",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
_OF_A_VERSION = {"GetObject", "DeleteObject"}
# With an ETag in If-Match, the object is read before it is replaced or deleted:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_READ_FIRST = {"PutObject", "CompleteMultipartUpload", "DeleteObject"}
KMS = "local_aws.services.kms.in_s3"
_DELETED = re.compile(r"<Object>(.*?)</Object>", re.DOTALL)
_KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given, operation, context = call.parameters, call.action, _context(call)
    if operation == "ListBuckets":
        return [Need("s3:ListAllMyBuckets", "*", context)]
    bucket = f"arn:aws:s3:::{given.get('Bucket', '')}"
    if operation in _ON_BUCKET:
        return [Need(f"s3:{_ON_BUCKET[operation]}", bucket, context)]
    if operation == "DeleteObjects":
        return [
            Need(_versioned("DeleteObject", "<VersionId>" in one), f"{bucket}/{key}", context)
            for one in _DELETED.findall(call.body.decode())
            for key in map(unescape, _KEY.findall(one))
        ]
    if operation not in _ON_OBJECT:
        return None
    key = f"{bucket}/{given['Key']}"
    needs = [Need(_versioned(_ON_OBJECT[operation], "versionId" in given), key, context)]
    if "HTTP_X_AMZ_COPY_SOURCE" in call.environ:
        source = urllib.parse.unquote(call.environ["HTTP_X_AMZ_COPY_SOURCE"]).removeprefix("/")
        needs.append(Need("s3:GetObject", f"arn:aws:s3:::{source.partition('?')[0]}", context))
    for header, action in (("HTTP_X_AMZ_TAGGING", "PutObjectTagging"), ("HTTP_X_AMZ_ACL", "PutObjectAcl")):
        if header in call.environ:
            needs.append(Need(f"s3:{action}", key, context))
    if operation in _READ_FIRST and call.environ.get("HTTP_IF_MATCH", "*") != "*":
        needs.append(Need("s3:GetObject", key, context))
    if operation == "GetObjectAttributes":
        needs.append(Need("s3:GetObjectAttributes", key, context))
    if KMS in sys.modules:  # without it there is no key
        needs += importlib.import_module(KMS).needs_of(call, account)
    return needs


def may_tell_absence(call: Call) -> Need:
    """Return what the caller must be allowed for a missing key to be a 404; otherwise S3 answers 403.

    A condition on s3:prefix does not hold here: the request for an object has no prefix.
    """
    return Need("s3:ListBucket", f"arn:aws:s3:::{call.parameters['Bucket']}", _context(call))


def _versioned(action: str, version: bool) -> str:
    return f"s3:{action}Version" if version and action in _OF_A_VERSION else f"s3:{action}"


def _context(call: Call) -> dict[str, str | list[str]]:
    context: dict[str, str | list[str]] = {}
    for name, value in call.environ.items():
        key = f"s3:{name[5:].replace('_', '-').lower()}"
        if name.startswith(("HTTP_X_AMZ_", "HTTP_IF_")) and key in KNOWN_KEYS:
            context[key] = str(value)
    for parameter, key in (
        ("prefix", "s3:prefix"),
        ("delimiter", "s3:delimiter"),
        ("max-keys", "s3:max-keys"),
        ("versionId", "s3:versionid"),
    ):
        if parameter in call.parameters:
            context[key] = call.parameters[parameter]
    return context
