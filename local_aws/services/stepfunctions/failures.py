"""Failures as moto's executor passes them on."""

from __future__ import annotations

from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType

__all__ = ["FailureEvent", "FailureEventException", "failure"]


def failure(env: Any, name: str, kind: HistoryEventType, details: Any) -> FailureEvent:
    """Return the failure with this error's name; `details` as its event of `kind` in the history has them."""
    try:
        error: Any = StatesErrorName(typ=StatesErrorNameType.from_name(name))
    except ValueError:
        error = CustomErrorName(error_name=name)
    return FailureEvent(env=env, error_name=error, event_type=kind, event_details=details)
