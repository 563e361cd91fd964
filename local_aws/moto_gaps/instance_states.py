"""Instances pass through pending, shutting-down and stopping, and say who ended them.

moto jumps: RunInstances gives `running`, TerminateInstances `terminated` at once. On AWS `terminated` is the proof
that nothing of the instance runs any more, and the takeover of a run's lock waits for exactly that; an emulator that
says it while processes still write would hide the worst bug this project can have. So the API calls only set the
transient state, and the host calls the `finish_*` functions when the machine has come up or is really gone.
Network interfaces and volumes go at that moment too.

TerminateInstances may also say how: SkipOsShutdown cuts the power without pressing the button, Force ends an instance that
is stuck in `shutting-down`. moto knows neither.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-terminate-methods.html
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance, InstanceState, StateReason
from moto.ec2.responses.instances import InstanceResponse

PENDING, RUNNING, SHUTTING_DOWN, TERMINATED, STOPPING, STOPPED = (
    ("pending", 0),
    ("running", 16),
    ("shutting-down", 32),
    ("terminated", 48),
    ("stopping", 64),
    ("stopped", 80),
)
USER_INITIATED = ("Client.UserInitiatedShutdown", "User initiated shutdown")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
INSTANCE_INITIATED = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
CRASHED = ("Server.InternalError", "Internal error: the machine stopped without shutting down")

# Called with each instance whose state has changed, with the lock held.
watchers: list[Callable[[Instance], None]] = []

_stock_init = Instance.__init__
_stock_start = Instance.start
_stock_stop = Instance.stop
_stock_terminate = Instance.terminate


def close_gap() -> None:
    def init(self: Instance, *arguments: Any, **named: Any) -> None:
        _stock_init(self, *arguments, **named)
        _set(self, PENDING)

    def start(self: Instance) -> InstanceState:
        if self.state != STOPPED[0]:
            return copy.copy(self._state)
        previous = _stock_start(self)
        _set(self, PENDING)
        return previous

    def stop(self: Instance) -> InstanceState:
        previous = copy.copy(self._state)
        if self.state in (PENDING[0], RUNNING[0]):
            _set(self, STOPPING)
            _blame(self, USER_INITIATED)
        return previous

    def terminate(self: Instance) -> InstanceState:
        previous = copy.copy(self._state)
        if self.state not in (SHUTTING_DOWN[0], TERMINATED[0]):
            _set(self, SHUTTING_DOWN)
            _blame(self, USER_INITIATED)
        return previous

    def reboot(self: Instance) -> None:
        self.local_aws_reboot = True  # the host takes it from here; the state stays `running`, as on AWS

    def network_interfaces(self: Instance) -> list[Any]:
        return [] if self.state == TERMINATED[0] else list(self.nics.values())

    terminate_instances = InstanceResponse.terminate_instances

    def terminate_as_asked(self: InstanceResponse) -> Any:
        if not _is_true(self._get_param("DryRun")):
            said = {name: self._get_param(name) for name in ("SkipOsShutdown", "Force")}
            note_how(self.ec2_backend, self._get_param("InstanceIds", []), said)
        return terminate_instances(self)

    InstanceResponse.terminate_instances = terminate_as_asked
    Instance.__init__ = init
    Instance.network_interfaces = property(network_interfaces)
    Instance.start = start
    Instance.stop = stop
    Instance.terminate = terminate
    Instance.reboot = reboot


def note_how(backend: EC2Backend, instance_ids: list[str], said: dict[str, Any]) -> None:
    """Let the host know how these instances are to be ended. To be called before they are."""
    for instance in backend.all_instances():
        if instance.id in instance_ids:
            instance.local_aws_skip_os = is_skipped(instance) or _is_true(said.get("SkipOsShutdown"))
            instance.local_aws_forced = is_forced(instance) or _is_true(said.get("Force"))


def is_skipped(instance: Instance) -> bool:
    """Whether its operating system is not asked before its power is cut."""
    return bool(getattr(instance, "local_aws_skip_os", False))


def is_forced(instance: Instance) -> bool:
    """Whether it is not to take its time any more."""
    return bool(getattr(instance, "local_aws_forced", False))


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def begin_end(instance: Instance, cause: tuple[str, str] | None) -> None:
    """running → shutting-down, of a machine that is off. `cause` as in `finish_stop`."""
    _set(instance, SHUTTING_DOWN)
    if cause:
        _blame(instance, cause)


def finish_boot(instance: Instance) -> None:
    """pending → running. Anything else (terminated meanwhile) stays as it is."""
    if instance.state == PENDING[0]:
        _set(instance, RUNNING)


def finish_stop(instance: Instance, cause: tuple[str, str] | None = None) -> None:
    """→ stopped. `cause` (code, message) replaces the reason that the API call left."""
    reason, state_reason = instance._reason, instance.state_reason
    _stock_stop(instance)
    instance._reason, instance.state_reason = reason, state_reason
    if cause:
        _blame(instance, cause)
    _tell(instance)


def finish_terminate(instance: Instance) -> None:
    """→ terminated: volumes and network interfaces with DeleteOnTermination vanish, addresses are given back."""
    reason, state_reason = instance._reason, instance.state_reason
    _stock_terminate(instance)
    instance._reason, instance.state_reason = reason, state_reason
    _tell(instance)


def _set(instance: Instance, state: tuple[str, int]) -> None:
    # A new object: answers of earlier calls hold on to the old one.
    instance._state = InstanceState(*state)
    _tell(instance)


def _tell(instance: Instance) -> None:
    for watcher in watchers:
        watcher(instance)


def _blame(instance: Instance, cause: tuple[str, str]) -> None:
    code, message = cause
    who = "User initiated" if cause == USER_INITIATED else message
    instance._reason = f"{who} ({utcnow().strftime('%Y-%m-%d %H:%M:%S')} GMT)"
    instance.state_reason = StateReason(f"{code}: {message}", code)
