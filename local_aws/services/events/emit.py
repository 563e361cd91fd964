"""Events of AWS's services, onto the default bus: an instance that is running, a task that stopped, an alarm.

Costs nothing where nobody has a rule: EventBridge is opened by whoever makes the first one.
https://docs.aws.amazon.com/eventbridge/latest/ref/event-delivery-level.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_aws.home import REGION
from local_aws.services.aws import Aws

# Takes (region, source, detail type, detail, resources) when EventBridge is open.
Sink = Callable[[str, str, str, dict[str, Any], list[str]], None]
_sinks: list[Sink] = []


def emit(
    aws: Aws, source: str, detail_type: str, detail: dict[str, Any], resources: list[str], region: str = REGION
) -> None:
    """Send an event as the service `source` does ("aws.ecs"). Quick; with the lock held or without."""
    for sink in _sinks:
        with aws.lock:
            sink(region, source, detail_type, detail, resources)


def deliver_to(sink: Sink) -> None:
    """Give events to `sink` from now on."""
    _sinks[:] = [sink]
