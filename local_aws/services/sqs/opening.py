"""Opens SQS: messages end with their retention period, and many of them cost little."""

from __future__ import annotations

from typing import Any

from moto.core.utils import unix_time_millis
from moto.sqs.models import Message, Queue, SQSBackend

from local_aws.services.aws import Aws


def open_service(aws: Aws) -> None:
    """Close moto's gaps.

    In moto the first message that is older than its queue's retention period hides all that came after it: a queue of failures
    would be silent after four days that were played. And each request reads the clock three times for each message.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-retention.html
    """
    receive = SQSBackend.receive_message

    def receive_what_is_kept(self: SQSBackend, queue_name: str, *arguments: Any, **named: Any) -> list[Message]:
        queue = self.get_queue(queue_name)
        with queue._messages_lock:
            kept = [message for message in queue._messages if _is_kept(queue, message)]
            if len(kept) < len(queue._messages):
                queue._messages = kept
        return receive(self, queue_name, *arguments, **named)

    def is_kept(self: SQSBackend, queue_name: str, message: Message) -> bool:
        return _is_kept(self.get_queue(queue_name), message)

    SQSBackend.receive_message = receive_what_is_kept
    SQSBackend.is_message_valid_based_on_retention_period = is_kept
    Queue.messages = property(_visible)
    Queue.approximate_number_of_messages_delayed = property(_delayed)
    Queue.approximate_number_of_messages_not_visible = property(_hidden)


def _is_kept(queue: Queue, message: Message) -> bool:
    return bool(message.sent_timestamp + int(queue.message_retention_period) * 1000 > unix_time_millis())


def _visible(queue: Queue) -> list[Message]:
    now = unix_time_millis()
    return [one for one in queue._messages if now > one.visible_at and now >= one.delayed_until]


def _delayed(queue: Queue) -> int:
    now = unix_time_millis()
    return sum(now < one.delayed_until for one in queue._messages)


def _hidden(queue: Queue) -> int:
    now = unix_time_millis()
    return sum(now <= one.visible_at for one in queue._messages)
