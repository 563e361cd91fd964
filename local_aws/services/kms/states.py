"""A key that is disabled, or will be deleted, encrypts and decrypts nothing. moto uses it like any other.

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms.models import KmsBackend
from moto.kms.utils import _deserialize_ciphertext_blob

_USING = ("encrypt", "generate_data_key", "sign", "verify", "generate_mac", "verify_mac", "get_public_key")


def close_gap() -> None:
    for name in _USING:
        setattr(KmsBackend, name, _only_enabled(getattr(KmsBackend, name)))
    KmsBackend.decrypt = _decrypt_by_enabled(KmsBackend.decrypt)


def refusal_of(key: Any) -> tuple[str, str] | None:
    """Return code and message for who would use the key; None for one that is enabled."""
    if key.key_state == "Disabled":
        return "DisabledException", f"{key.arn} is disabled."
    if key.key_state != "Enabled":
        return "KMSInvalidStateException", f"{key.arn} is pending deletion."
    return None


def _check(backend: KmsBackend, key_id: str) -> None:
    key = backend.keys.get(backend.any_id_to_key_id(key_id))
    refusal = refusal_of(key) if key is not None else None
    if refusal:
        raise JsonRESTError(*refusal)


def _only_enabled(stock: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(stock)
    def use(self: KmsBackend, key_id: str, *arguments: Any, **named: Any) -> Any:
        _check(self, key_id)
        return stock(self, key_id, *arguments, **named)

    return use


def _decrypt_by_enabled(stock: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(stock)
    def decrypt(self: KmsBackend, ciphertext_blob: bytes, *arguments: Any, **named: Any) -> Any:
        key_id = key_in(ciphertext_blob)
        if key_id in self.keys:
            _check(self, key_id)
        return stock(self, ciphertext_blob, *arguments, **named)

    return decrypt


def key_in(ciphertext: bytes) -> str:
    """Return the id of the key that something was encrypted with; empty for what is no ciphertext."""
    try:
        return str(_deserialize_ciphertext_blob(ciphertext).key_id)
    except Exception:  # whatever was sent: the service says what is wrong with it
        return ""
