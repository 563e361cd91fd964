"""A bucket tells functions, queues, topics and EventBridge what happens to its objects.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

import itertools
import json
import logging
import secrets
import time
import urllib.parse
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from moto.s3.models import FakeBucket, Notification, s3_backends

from local_aws.iam.principals import ACCOUNT
from local_aws.services import as_service
from local_aws.services.aws import Aws
from local_aws.services.courier import Courier, NotDelivered
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


def tell(
    aws: Aws, notifier: Notifier, bucket: FakeBucket, event_name: str, key_name: str, said: dict[str, Any]
) -> None:
    """Tell whoever wants to know. `said` has size, eTag and versionId, as far as there are. Returns at once. Hold the lock."""
    configured = bucket.notification_configuration
    event = event_name.removeprefix("s3:")
    thing = {"key": key_name, **said, "sequencer": f"{next(_sequence):016X}"}
    for notification in (*configured.cloud_function, *configured.queue, *configured.topic):
        if notification.matches(event_name, key_name):
            text = json.dumps(_record(aws, bucket, event, thing, notification.id))
            notifier.take(bucket, notification.arn, text)
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


def send_test_events(aws: Aws, notifier: Notifier, bucket: FakeBucket) -> None:
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
        notifier.take(bucket, arn, json.dumps(test))


def let_in(aws: Aws, bucket: FakeBucket, notification: Notification) -> bool:
    """Whether the destination exists and lets S3 in for this bucket."""
    try:
        as_service.check(aws, notification.arn, service=SERVICE, source_arn=bucket.arn)
    except NotDelivered as error:
        log.info("the destination of %s: %s", bucket.name, error)
        return False
    return True


@dataclass
class Parcel:
    """One event for one destination."""

    id: str
    bucket: FakeBucket
    arn: str
    text: str
    patience: Patience

    @property
    def what(self) -> str:
        return f"an event of bucket {self.bucket.name} for {self.arn}"


class Notifier:
    """Delivers what buckets tell."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._courier = Courier(aws, send=self._send, give_up=lambda *_: None, kept=_on_their_way)

    def take(self, bucket: FakeBucket, arn: str, text: str) -> None:
        """Deliver it. Returns at once. Hold the lock."""
        self._courier.take(Parcel(str(uuid.uuid4()), bucket, arn, text, Patience(self._aws.clock.now())))

    def resume(self) -> None:
        """Go on after a crash."""
        for backends in list(s3_backends.values()):
            for bucket in list(backends["aws"].buckets.values()):
                self._courier.resume(getattr(bucket, "local_aws_on_their_way", {}).values())

    def _send(self, parcel: Parcel) -> None:
        kind, source = parcel.arn.split(":")[2], parcel.bucket.arn
        if kind == "sqs":
            as_service.send_message(self._aws, parcel.arn, parcel.text, service=SERVICE, source_arn=source)
        elif kind == "sns":
            subject = "Amazon S3 Notification"
            as_service.publish(self._aws, parcel.arn, parcel.text, service=SERVICE, source_arn=source, subject=subject)
        else:
            as_service.invoke(self._aws, parcel.arn, parcel.text.encode(), service=SERVICE, source_arn=source)


def _on_their_way(parcel: Parcel) -> dict[str, Parcel]:
    if not hasattr(parcel.bucket, "local_aws_on_their_way"):
        parcel.bucket.local_aws_on_their_way = {}
    return parcel.bucket.local_aws_on_their_way  # type: ignore[no-any-return]


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
