"""Keys are deleted when their waiting period is over. moto keeps them for ever."""

from __future__ import annotations

import functools
from datetime import timezone
from typing import Any

from moto.kms.models import KmsBackend, kms_backends

from local_aws.clock import Timer
from local_aws.services.aws import Aws

_timers: dict[str, Timer] = {}  # by the key's id


def close_gap(aws: Aws) -> None:
    stock_schedule, stock_cancel = KmsBackend.schedule_key_deletion, KmsBackend.cancel_key_deletion

    def schedule(self: KmsBackend, key_id: str, pending_window_in_days: int) -> Any:
        answer = stock_schedule(self, key_id, pending_window_in_days)
        _set_timer(aws, self, self.keys[key_id])
        return answer

    def cancel(self: KmsBackend, key_id: str) -> None:
        stock_cancel(self, key_id)
        _forget(key_id)

    KmsBackend.schedule_key_deletion = schedule
    KmsBackend.cancel_key_deletion = cancel


def resume(aws: Aws) -> None:
    """Set the timers of keys that were to be deleted before a crash."""
    with aws.lock:
        for regions in list(kms_backends.values()):
            for backend in list(regions.values()):
                for key in list(backend.keys.values()):
                    if key.deletion_date is not None:
                        _set_timer(aws, backend, key)


def _set_timer(aws: Aws, backend: KmsBackend, key: Any) -> None:
    _forget(key.id)
    if key.deletion_date is not None:
        when = key.deletion_date.replace(tzinfo=timezone.utc).timestamp()
        delete = functools.partial(_delete, aws, backend, key.id)
        _timers[key.id] = aws.clock.call_at(when, f"KMS deletes the key {key.id}", delete)


def _delete(aws: Aws, backend: KmsBackend, key_id: str) -> None:
    with aws.lock:
        _timers.pop(key_id, None)
        key = backend.keys.get(key_id)
        if key is not None and key.deletion_date is not None:
            backend.delete_key(key_id)


def _forget(key_id: str) -> None:
    timer = _timers.pop(key_id, None)
    if timer is not None:
        timer.cancel()
