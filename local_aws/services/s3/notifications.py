"""A bucket tells functions, queues, topics and EventBridge what happens to its objects.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

import functools
import itertools
import json
import logging
import secrets
import time
import urllib.parse
from datetime import datetime, timezone
from typing import Any

from moto.s3.models import FakeBucket, Notification

from local_aws.iam.principals import ACCOUNT
from local_aws.services import as_service
from local_aws.services.as_service import NotDelivered
from local_aws.services.aws import Aws
from local_aws.services.events.emit import emit
from local_aws.services.retries import Patience

log = logging.getLogger("local_aws.s3")
SERVICE = "s3.amazonaws.com"
# What is an event of EventBridge, by the beginning of its name: detail type, and what the reason or the type of deletion is.
_DETAIL_TYPES = {
    "ObjectCreated:Put": ("Object Created", "reason", "PutObject"),
    "ObjectCreated:Post": ("Object Created", "reason", "POST Object"),
    "ObjectCreated:Copy": ("Object Created", "reason", "CopyObject"),
    "ObjectCreated:CompleteMultipartUpload": ("Object Created", "reason", "CompleteMultipartUpload"),
    "ObjectRemoved:Delete": ("Object Deleted", "deletion-type", "Permanently Deleted"),
    "ObjectRemoved:DeleteMarkerCreated": ("Object Deleted", "deletion-type", "Delete Marker Created"),
    "ObjectTagging:Put": ("Object Tags Added", "", ""),
    "ObjectTagging:Delete": ("Object Tags Deleted", "", ""),
    "ObjectAcl:Put": ("Object ACL Updated", "", ""),
}
_sequence = itertools.count(time.time_ns())


def tell(aws: Aws, bucket: FakeBucket, event_name: str, key_name: str, said: dict[str, Any]) -> None:
    """Tell whoever wants to know. `said` has size, eTag and versionId, as far as there are. Returns at once. Hold the lock."""
    configured = bucket.notification_configuration
    event = event_name.removeprefix("s3:")
    thing = {"key": key_name, **said, "sequencer": f"{next(_sequence):016X}"}
    for notification in (*configured.cloud_function, *configured.queue, *configured.topic):
        if notification.matches(event_name, key_name):
            text = json.dumps(_record(aws, bucket, event, thing, notification.id))
            _attempt_at(aws, aws.clock.now(), bucket, notification.arn, text, Patience(aws.clock.now()))
    if configured.event_bridge is not None and event in _DETAIL_TYPES:
        kind, name, value = _DETAIL_TYPES[event]
        renamed = {"eTag": "etag", "versionId": "version-id"}
        detail: dict[str, Any] = {
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": {renamed.get(one, one): found for one, found in thing.items()},
            "request-id": secrets.token_hex(8).upper(),
            "requester": ACCOUNT,
            "source-ip-address": "127.0.0.1",
            **({name: value} if name else {}),
        }
        if name == "deletion-type":
            detail["reason"] = "DeleteObject"
        emit(aws, "aws.s3", kind, detail, [bucket.arn], bucket.region_name)


def send_test_events(aws: Aws, bucket: FakeBucket) -> None:
    """What a queue and a topic get when they are configured."""
    configured = bucket.notification_configuration
    test = {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": _iso(aws.clock.now()),
        "Bucket": bucket.name,
        "RequestId": secrets.token_hex(8).upper(),
        "HostId": secrets.token_hex(24),
    }
    for arn in {one.arn for one in (*configured.queue, *configured.topic)}:
        _attempt_at(aws, aws.clock.now(), bucket, arn, json.dumps(test), Patience(aws.clock.now(), retries=0))


def let_in(aws: Aws, bucket: FakeBucket, notification: Notification) -> bool:
    """Whether the destination exists and lets S3 in for this bucket."""
    try:
        as_service.check(aws, notification.arn, service=SERVICE, source_arn=bucket.arn)
    except NotDelivered as error:
        log.info("the destination of %s: %s", bucket.name, error)
        return False
    return True


def _attempt_at(aws: Aws, when: float, bucket: FakeBucket, arn: str, text: str, patience: Patience) -> None:
    attempt = functools.partial(_attempt, aws, bucket, arn, text, patience)
    aws.clock.call_at(when, f"an event of bucket {bucket.name}", attempt)


def _attempt(aws: Aws, bucket: FakeBucket, arn: str, text: str, patience: Patience) -> None:
    try:
        _send(aws, bucket, arn, text)
    except NotDelivered as error:
        log.info("%s did not take an event of bucket %s: %s", arn, bucket.name, error)
        again = None if error.for_good else patience.try_again_at(aws.clock.now())
        if again is not None:
            _attempt_at(aws, again, bucket, arn, text, patience)


def _send(aws: Aws, bucket: FakeBucket, arn: str, text: str) -> None:
    kind = arn.split(":")[2]
    if kind == "sqs":
        as_service.send_message(aws, arn, text, service=SERVICE, source_arn=bucket.arn)
    elif kind == "sns":
        subject = "Amazon S3 Notification"
        as_service.publish(aws, arn, text, service=SERVICE, source_arn=bucket.arn, subject=subject)
    else:
        as_service.invoke(aws, arn, text.encode(), service=SERVICE, source_arn=bucket.arn)


def _record(aws: Aws, bucket: FakeBucket, event: str, thing: dict[str, Any], configuration: str) -> dict[str, Any]:
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region_name,
        "eventTime": _iso(aws.clock.now()),
        "eventName": event,
        "userIdentity": {"principalId": f"AWS:{ACCOUNT}"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {
            "x-amz-request-id": secrets.token_hex(8).upper(),
            "x-amz-id-2": secrets.token_hex(24),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {"name": bucket.name, "ownerIdentity": {"principalId": ACCOUNT}, "arn": bucket.arn},
            "object": {**thing, "key": urllib.parse.quote_plus(thing["key"], safe="/")},
        },
    }
    return {"Records": [record]}


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
