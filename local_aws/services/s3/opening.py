"""Opens what S3 has beside objects: notifications. A bucket without any costs one comparison more than in moto."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from moto.core.responses import ActionResult
from moto.s3 import notifications as motos
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket, Notification, S3Backend
from moto.s3.responses import S3Response

from local_aws.services.aws import Aws
from local_aws.services.s3 import notifications

_UNCHECKED = "SkipDestinationValidation"
_EMPTY = "\ue000"  # stands for a filter's empty value while moto reads the request

_open: list[notifications.Notifier] = []


def open_service(aws: Aws) -> None:
    """Close the gaps."""
    notifier = notifications.Notifier(aws)
    _open[:] = [notifier]
    _tell_what_happens(aws, notifier)
    _check_configurations(aws, notifier)
    _show_configurations()


def resume(aws: Aws) -> None:
    """Go on after a crash."""
    for notifier in _open:
        notifier.resume()


def _tell_what_happens(aws: Aws, notifier: notifications.Notifier) -> None:
    delete_object, put_tags = S3Backend.delete_object, S3Response.put_object_tagging
    tagging: list[str] = []  # while PutObjectTagging is answered, under the lock

    def send_event(_: str, event_name: Any, bucket: FakeBucket, key: Any) -> None:
        if bucket.notification_configuration is None or key is None:
            return
        name = str(event_name.value)
        # Removals are told below: moto leaves out delete markers, and the end of one of several versions.
        if name.startswith("s3:ObjectRemoved:"):
            return
        # moto tells of a put at the end of each upload in parts, and of tags at each upload.
        if (name == "s3:ObjectCreated:Put" and key.multipart) or (name == "s3:ObjectTagging:Put" and not tagging):
            return
        said = {"size": key.size, "eTag": key.etag.strip('"')}
        notifications.tell(aws, notifier, bucket, name, key.name, {**said, **_version(bucket, key.version_id)})

    def delete_and_tell(
        self: S3Backend, bucket_name: str, key_name: str, version_id: str | None = None, bypass: bool = False
    ) -> tuple[bool, dict[str, Any]]:
        done, answer = delete_object(self, bucket_name, key_name, version_id, bypass)
        bucket = self.get_bucket(bucket_name)
        if done and bucket.notification_configuration is not None:
            marker = bucket.is_versioned and version_id is None
            name = "DeleteMarkerCreated" if marker else "Delete"
            said = _version(bucket, answer.get("version-id"))
            notifications.tell(aws, notifier, bucket, f"s3:ObjectRemoved:{name}", key_name, said)
        return done, answer

    def put_tags_and_tell(self: S3Response) -> Any:
        tagging.append(self.bucket_name)
        try:
            return put_tags(self)
        finally:
            tagging.clear()

    S3Response.put_object_tagging = put_tags_and_tell
    motos.send_event = send_event
    S3Backend.delete_object = delete_and_tell


def _version(bucket: FakeBucket, version_id: Any) -> dict[str, str]:
    return {"versionId": str(version_id)} if bucket.is_versioned and version_id else {}


def _check_configurations(aws: Aws, notifier: notifications.Notifier) -> None:
    configure, read = FakeBucket.set_notification_configuration, S3Response._notification_config_from_body

    def read_all(self: S3Response) -> dict[str, Any]:
        # S3 takes the names of filters in any case and values that are empty; Ansible's module sends such.
        body = re.sub(rb"<Name>([Pp]re|[Ss]uf)fix</Name>", lambda name: b"<Name>" + name[1].lower() + b"fix</Name>",
                      _as_bytes(self.body))  # fmt: skip
        self.body = re.sub(rb"<Value>\s*</Value>|<Value\s*/>", f"<Value>{_EMPTY}</Value>".encode(), body)
        given = read(self)
        for kind in ("Topic", "Queue", "CloudFunction"):
            for one in given.get(f"{kind}Configuration") or []:
                for rule in (one.get("Filter") or {}).get("S3Key", {}).get("FilterRule", []):
                    rule["Value"] = "" if rule["Value"] == _EMPTY else rule["Value"]
        return {**given, _UNCHECKED: True} if given and _is_unchecked(self) else given

    def configure_checked(self: FakeBucket, given: dict[str, Any] | None) -> None:
        before = self.notification_configuration
        try:
            configure(self, given)
            configured = self.notification_configuration
            if configured is not None:
                every = [*configured.cloud_function, *configured.queue, *configured.topic]
                _refuse_overlap(every)
                if _UNCHECKED not in (given or {}) and not all(notifications.let_in(aws, self, one) for one in every):
                    said = "Unable to validate the following destination configurations"
                    raise S3ClientError("InvalidArgument", said)
                notifications.send_test_events(aws, notifier, self)
        except BaseException:
            self.notification_configuration = before
            raise

    S3Response._notification_config_from_body = read_all
    FakeBucket.set_notification_configuration = configure_checked
    motos.send_test_event = lambda **_: None  # before anybody was asked


def _is_unchecked(response: S3Response) -> bool:
    return str(response.headers.get("x-amz-skip-destination-validation", "")).lower() == "true"


def _as_bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body).encode()


def _refuse_overlap(every: list[Notification]) -> None:
    """Refuse two that would be told of the same event of the same key.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
    """
    for number, one in enumerate(every):
        for other in every[:number]:
            (prefix, suffix), (other_prefix, other_suffix) = _filters(one), _filters(other)
            same_keys = _nested(prefix, other_prefix, str.startswith) and _nested(suffix, other_suffix, str.endswith)
            if same_keys and _share_an_event(one.events, other.events):
                raise S3ClientError(
                    "InvalidArgument",
                    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
                    "overlapping for the same event type.",
                )


def _filters(notification: Notification) -> tuple[str, str]:
    rules = notification.filters.get("S3Key", {}).get("FilterRule", [])
    found = {rule["Name"]: rule["Value"] for rule in rules}
    return found.get("prefix", ""), found.get("suffix", "")


def _nested(one: str, other: str, has: Any) -> bool:
    return bool(has(one, other) or has(other, one))


def _share_an_event(some: Iterable[str], others: Iterable[str]) -> bool:
    def covers(one: str, other: str) -> bool:
        return one == other or (one.endswith(":*") and other.startswith(one[:-1]))

    return any(covers(one, other) or covers(other, one) for one in some for other in others)


def _show_configurations() -> None:
    serialized = S3Response.serialized

    def serialized_in_full(self: S3Response, action_result: ActionResult) -> Any:
        """With whether EventBridge is switched on, and names of filters as S3 writes them: clients compare before they change."""
        if self.data.get("Action") == "GetBucketNotificationConfiguration":
            configured = self.backend.get_bucket_notification_configuration(self.bucket_name)
            if configured is not None and configured.event_bridge is not None:
                action_result.result["EventBridgeConfiguration"] = {}
            for one in (one for several in (action_result.result or {}).values() for one in several):
                rules = one.get("Filter", {}).get("Key", {}).get("FilterRules", [])
                if rules:
                    named = [{"Name": rule["Name"].title(), "Value": rule["Value"]} for rule in rules]
                    one["Filter"] = {"Key": {"FilterRules": named}}
        return serialized(self, action_result)

    S3Response.serialized = serialized_in_full
