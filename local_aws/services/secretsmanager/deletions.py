"""Secrets are deleted when their recovery window is over. moto keeps them, marked, for ever, and their name is taken."""

from __future__ import annotations

import functools
from typing import Any

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend, secretsmanager_backends

from local_aws.clock import Timer
from local_aws.services.aws import Aws

_timers: dict[str, Timer] = {}  # by the secret's ARN


def close_gap(aws: Aws) -> None:
    stock_delete, stock_restore = SecretsManagerBackend.delete_secret, SecretsManagerBackend.restore_secret

    def delete(self: SecretsManagerBackend, secret_id: str, *arguments: Any, **named: Any) -> Any:
        answer = stock_delete(self, secret_id, *arguments, **named)
        secret = self.secrets.get(secret_id)
        if secret is not None:
            _set_timer(aws, self, secret)
        return answer

    def restore(self: SecretsManagerBackend, secret_id: str) -> Any:
        answer = stock_restore(self, secret_id)
        secret = self.secrets.get(secret_id)
        if secret is not None:
            _forget(secret.arn)
        return answer

    stock_create = SecretsManagerBackend.create_secret

    def create(self: SecretsManagerBackend, name: str, *arguments: Any, **named: Any) -> Any:
        present = self.secrets.get(name)
        if present is not None and present.is_deleted():
            raise InvalidRequestException(
                "You can't create this secret because a secret with this name is already scheduled for deletion."
            )
        return stock_create(self, name, *arguments, **named)

    SecretsManagerBackend.create_secret = create
    SecretsManagerBackend.delete_secret = delete
    SecretsManagerBackend.restore_secret = restore


def resume(aws: Aws) -> None:
    """Set the timers of secrets that were to be deleted before a crash."""
    with aws.lock:
        for regions in list(secretsmanager_backends.values()):
            for backend in list(regions.values()):
                for secret in list(backend.secrets.values()):
                    _set_timer(aws, backend, secret)


def _set_timer(aws: Aws, backend: SecretsManagerBackend, secret: Any) -> None:
    _forget(secret.arn)
    if isinstance(secret, FakeSecret) and secret.deleted_date is not None:
        delete = functools.partial(_delete, aws, backend, secret.arn)
        what = f"Secrets Manager deletes {secret.name}"
        _timers[secret.arn] = aws.clock.call_at(secret.deleted_date, what, delete)


def _delete(aws: Aws, backend: SecretsManagerBackend, arn: str) -> None:
    with aws.lock:
        _timers.pop(arn, None)
        secret = backend.secrets.get(arn)
        if secret is not None and secret.is_deleted():
            backend.secrets.pop(secret.name)


def _forget(arn: str) -> None:
    timer = _timers.pop(arn, None)
    if timer is not None:
        timer.cancel()
