"""A key may be named by its ARN everywhere. moto fails with an internal error in the operations below."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from moto.kms.models import KmsBackend

_BY_ID_ALONE = ("disable_key", "enable_key", "cancel_key_deletion", "schedule_key_deletion")


def close_gap() -> None:
    for name in _BY_ID_ALONE:
        setattr(KmsBackend, name, _by_any_id(getattr(KmsBackend, name)))


def _by_any_id(stock: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(stock)
    def operation(self: KmsBackend, key_id: str, *arguments: Any, **named: Any) -> Any:
        return stock(self, self.get_key_id(key_id), *arguments, **named)

    return operation
