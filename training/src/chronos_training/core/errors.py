"""Errors that a person reads: what failed, on which resource, what it means and what to do next."""

from __future__ import annotations

from typing import Any


class TrainingError(Exception):
    """Something a person can act on. `str(error)` is the whole message; modules print it without a traceback."""

    # What programs tell causes apart by; `error_codes.py` lists all of them. A class has one, and an error may have its own.
    code = "operation_failed"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        """`message` says what failed on which resource; `hint` is the next thing to do; `code` is not the class's own."""
        if code is not None:
            self.code = code
        self.message = message
        self.hint = hint
        # What a program may want to know beside the sentence: results of the module that fails with it.
        self.facts: dict[str, Any] = {}
        super().__init__(f"{message} {hint}".strip())


class ConfigurationError(TrainingError):
    """A value in the configuration, an inventory or a command line is not usable. Nothing was created."""

    code = "configuration_invalid"


class DataError(TrainingError):
    """A dataset is missing, corrupt or not what its manifest says."""

    code = "data_invalid"


class PermissionDenied(TrainingError):
    """AWS refused a call: the principal lacks a permission, or a policy denies it."""

    code = "permission_denied"


class Unreachable(TrainingError):
    """AWS gave no usable answer just now: this says nothing about the resource, and the same call may work later."""

    code = "service_unavailable"
