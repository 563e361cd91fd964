"""The host loop: boots the user data of each instance that appears in moto's EC2, and ends it again.

It runs in the daemon's process and looks at moto's state directly, under the lock that also serialises the requests:
ten times a second that costs next to nothing, where DescribeInstances over HTTP for each region would keep a core
busy, and the transitions it makes (pending → running, shutting-down → terminated) have no API anyway.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance

from local_aws import fault_injection
from local_aws.home import Home
from local_aws.levels.base import Level
from local_aws.levels.listeners import Serve
from local_aws.machine_process import Machine, keep_only_logs, kill_orphans
from local_aws.metadata import MetadataService
from local_aws.moto_gaps import instance_states as states

log = logging.getLogger("local_aws.host")

TICK = 0.1  # seconds between two looks
SHUT_DOWN_GRACE = 3.0  # seconds from TERM to KILL when the whole embedded AWS is stopped; else see Level.grace


@dataclass
class _Entry:
    """One instance with user data."""

    instance: Instance
    machine: Machine
    metadata: MetadataService
    off: bool = False  # the machine is off for good; EC2 takes its time to say so
    busy: bool = field(default=False)  # a thread is at work on it; the loop leaves it alone


class Host:
    """Owns the machines. `lock` is the lock of the WSGI application; it is never held while anything slow happens.

    `serve` answers AWS's API on a listener, for machines that have a network of their own.
    """

    def __init__(self, home: Home, endpoint: str, lock: threading.RLock, level: Level, serve: Serve) -> None:
        self.home = home
        self.endpoint = endpoint
        self.lock = lock
        self.level = level
        self._serve = serve
        self._entries: dict[str, _Entry] = {}
        self._ending: dict[str, float] = {}  # since when instances are shutting down, by AWS's clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="host", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def describe(self) -> list[dict[str, Any]]:
        """For `status`: each machine's instance id, EC2 state, and what its process does."""
        return [
            {
                "instance_id": instance_id,
                "state": entry.instance.state,
                "process": "off" if entry.machine.ended() else f"process {entry.machine.machine_pid}",
                "machine_pid": None if entry.machine.ended() else entry.machine.machine_pid,
                "leader_pid": None if entry.machine.ended() else entry.machine.leader_pid,
                "level": entry.machine.level.name,
                "metadata_endpoint": entry.metadata.endpoint,
            }
            for instance_id, entry in list(self._entries.items())
        ]

    def bury_lost_machines(self) -> None:
        """After a crash of the daemon: the machines died with it, as on a computer of AWS that fails."""
        with self.lock:
            for account in list(ec2_backends.values()):
                for backend in list(account.values()):
                    for instance in backend.all_instances():
                        if instance.state not in (states.TERMINATED[0], states.STOPPED[0]):
                            states.begin_end(instance, states.CRASHED)
                            states.finish_terminate(instance)

    def shut_down(self) -> None:
        """End the loop and every machine: TERM, SHUT_DOWN_GRACE seconds, KILL."""
        self._stopping.set()
        self._thread.join(timeout=10)
        entries = list(self._entries.values())
        for entry in entries:
            entry.machine.press_power_button()
        deadline = time.monotonic() + SHUT_DOWN_GRACE
        while time.monotonic() < deadline and not all(entry.machine.ended() for entry in entries):
            time.sleep(0.02)
        for entry in entries:
            entry.machine.cut_power()
            entry.metadata.close()
        kill_orphans()

    def _run(self) -> None:
        while not self._stopping.wait(TICK):
            try:
                self._look()
            except Exception:
                # One strange instance must not leave all others without a host.
                log.exception("the host loop stumbled")

    def _look(self) -> None:
        with self.lock:
            instances = [
                instance
                for account in list(ec2_backends.values())
                for backend in list(account.values())
                for instance in backend.all_instances()
                if instance.state != states.TERMINATED[0]
            ]
            for instance in instances:
                if instance.id not in self._entries:
                    self._settle_without_machine(instance)
        for instance in instances:
            entry = self._entries.get(instance.id)
            if entry is None and instance.user_data and instance.state == states.PENDING[0]:
                entry = self._entries[instance.id] = self._new_entry(instance)
            if entry and not entry.busy:
                self._advance(entry)
        self._end_forgotten({instance.id for instance in instances})

    def _settle_without_machine(self, instance: Instance) -> None:
        """Instances without user data, and those that were ended before they booted, have nothing to wait for."""
        if instance.state == states.PENDING[0] and not instance.user_data:
            states.finish_boot(instance)
        elif instance.state == states.SHUTTING_DOWN[0] and self._is_over(instance):
            states.finish_terminate(instance)
        elif instance.state == states.STOPPING[0]:
            states.finish_stop(instance)

    def _new_entry(self, instance: Instance) -> _Entry:
        metadata = MetadataService(instance, self.home, self.lock, self.level.own_network)
        machine = Machine(self.home, instance.id, self.level, metadata.serve, self._serve)
        return _Entry(instance, machine, metadata)

    def _advance(self, entry: _Entry) -> None:
        state, machine = entry.instance.state, entry.machine
        if state == states.PENDING[0]:
            self._boot(entry)
        elif state == states.RUNNING[0]:
            if machine.ended():
                self._in_background(entry, self._after_machine_ended)
            elif getattr(entry.instance, "local_aws_reboot", False):
                entry.instance.local_aws_reboot = False
                self._in_background(entry, self._reboot)
        elif state == states.SHUTTING_DOWN[0]:
            over = self._is_over(entry.instance)
            if not entry.off or over:
                self._in_background(entry, self._end)
        elif state == states.STOPPING[0]:
            self._in_background(entry, self._end)

    def _is_over(self, instance: Instance) -> bool:
        """Whether an instance has been shutting down for as long as was set; the first call is the beginning."""
        faults = fault_injection.read(self.home)
        now = time.time() + faults.clock_ahead
        since = self._ending.setdefault(instance.id, now)
        return states.is_forced(instance) or not faults.end_seconds or now - since >= faults.end_seconds

    def _boot(self, entry: _Entry) -> None:
        try:
            volume = entry.instance.block_device_mapping[entry.instance.root_device_name]
            entry.machine.boot(self.endpoint, entry.metadata.endpoint, str(entry.instance.user_data), volume.size)
        except OSError as error:  # no process, no disk: the next look finds it running without a process, a crash
            entry.machine.say(f"cannot boot: {error}")
        with self.lock:
            states.finish_boot(entry.instance)

    def _in_background(self, entry: _Entry, work: Any) -> None:
        """Ending a machine takes seconds, deleting its disk too; the others go on meanwhile."""

        def run() -> None:
            try:
                work(entry)
            except Exception:
                log.exception("%s of %s failed", work.__name__, entry.machine.instance_id)
            finally:
                entry.busy = False

        entry.busy = True
        threading.Thread(target=run, name=f"{work.__name__}-{entry.machine.instance_id}", daemon=True).start()

    def _after_machine_ended(self, entry: _Entry) -> None:
        """The machine powered off, rebooted or crashed by itself: EC2 follows, by the shutdown attribute."""
        outcome = entry.machine.outcome()
        entry.machine.cut_power()
        self._kill_orphans()
        if outcome == "reboot":
            entry.machine.say("rebooting")
            self._boot(entry)
            return
        cause = states.INSTANCE_INITIATED
        if outcome == "crash":
            entry.machine.say("the machine crashed: its manager ended without a shutdown; everything in it was killed")
            cause = states.CRASHED
        with self.lock:
            # An API call may have come in between; then its cause stands.
            mine = cause if entry.instance.state == states.RUNNING[0] else None
            terminate = entry.instance.state != states.STOPPING[0] and (
                entry.instance.instance_initiated_shutdown_behavior == "terminate"
                or entry.instance.state == states.SHUTTING_DOWN[0]
            )
            if not terminate:
                states.finish_stop(entry.instance, mine)
        if not terminate:
            entry.machine.say("stopped")
            return
        with self.lock:
            states.begin_end(entry.instance, mine)
        entry.off = True
        if self._is_over(entry.instance):
            self._finish_terminate(entry)

    def _end(self, entry: _Entry) -> None:
        """TerminateInstances or StopInstances: power button, grace, power cut."""
        if not entry.off:
            self._power_off(entry)
        if entry.instance.state == states.STOPPING[0]:
            entry.machine.say("stopped")
            with self.lock:
                if entry.instance.state == states.STOPPING[0]:
                    states.finish_stop(entry.instance)
        if entry.instance.state == states.SHUTTING_DOWN[0]:
            entry.off = True
            if self._is_over(entry.instance):
                self._finish_terminate(entry)

    def _reboot(self, entry: _Entry) -> None:
        self._power_off(entry)
        entry.machine.say("rebooting")
        if entry.instance.state == states.RUNNING[0]:
            self._boot(entry)

    def _power_off(self, entry: _Entry) -> None:
        machine = entry.machine
        grace = machine.level.grace
        deadline = time.monotonic() + grace
        if not states.is_skipped(entry.instance):
            machine.press_power_button()
        while not machine.ended() and time.monotonic() < deadline and not states.is_skipped(entry.instance):
            time.sleep(0.02)
        if states.is_skipped(entry.instance):
            machine.say("power cut, as asked: SkipOsShutdown")
        elif not machine.ended():
            machine.say(f"did not power off within {grace:.0f} s; power cut")
        machine.cut_power()
        self._kill_orphans()

    def _finish_terminate(self, entry: _Entry) -> None:
        entry.machine.say("terminated")
        entry.metadata.close()
        with self.lock:
            states.finish_terminate(entry.instance)
        self._ending.pop(entry.instance.id, None)
        self._entries.pop(entry.instance.id, None)
        keep_only_logs(entry.machine.folder)

    def _end_forgotten(self, existing: set[str]) -> None:
        """Machines whose instance vanished from moto, which happens by /moto-api/reset only."""
        for instance_id in set(self._ending) - existing:
            self._ending.pop(instance_id, None)
        for instance_id, entry in list(self._entries.items()):
            if instance_id not in existing and not entry.busy:
                self._entries.pop(instance_id)
                self._in_background(entry, self._discard)

    def _discard(self, entry: _Entry) -> None:
        entry.machine.cut_power()
        entry.metadata.close()
        keep_only_logs(entry.machine.folder)

    @staticmethod
    def _kill_orphans() -> None:
        number = kill_orphans()
        if number:
            log.warning("killed %d orphaned process(es) of an ended machine", number)
