"""What a crash of the daemon leaves: the account's state is on disk a moment after each change, and the next start goes on from it.

state/<backend class>.pickle   one file for each of moto's kinds of backends, with all accounts and regions
state/daemon.json              port and clock; URLs that clients have are good again after a restart

A clean stop deletes it: the embedded AWS that is started next is an empty account. After a crash instances have lost
their machine: they are terminated, as EC2 does when a host fails. Tasks, functions and executions are their services' matter: see
`resume` in local_aws/services/*/opening.py.

The last moments before a crash may be missing: the state is written behind, so that no request waits for the disk.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import os
import queue
import threading
import time
import weakref
from collections import defaultdict
from pathlib import Path
from typing import Any

import cloudpickle
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from moto.core.base_backend import BackendDict, BaseBackend

from local_aws import blobs
from local_aws.calls import botocore_name, call_of
from local_aws.home import write_atomically
from local_aws.services import Services
from local_aws.services.aws import Aws

log = logging.getLogger("local_aws.persistence")

PAUSE = 0.2  # seconds between two writes; longer where writing takes long
SHARE = 0.05  # of the time at most is spent on it
# Their state is large, and changes with their own requests only; all others are written with every change.
_LARGE = {"ec2", "s3", "iam", "ssm"}
_READS = ("Get", "List", "Describe", "Head", "BatchGet", "Simulate", "Filter", "Lookup", "Query", "Scan")


class Snapshots:
    """Writes moto's state behind the requests, and reads it at the next start."""

    def __init__(self, aws: Aws, services: Services) -> None:
        self._aws = aws
        self._services = services
        self._folder = aws.home.state
        self._changed = threading.Event()
        self._large: set[str] = set()
        self._unwritable: set[str] = set()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)

    def start(self) -> None:
        """Write what changes from now on."""
        self._folder.mkdir(exist_ok=True)
        self._write_facts()  # first: without them the next start takes what is there for leftovers
        self._aws.clock.observe(self._changed.set)
        self._thread.start()

    def stop(self) -> None:
        """Write nothing more, and forget what was written: this is not a crash."""
        self._stopping = True
        self._changed.set()
        self._thread.join(timeout=10)
        self._aws.home.forget_state()

    def note(self, environ: dict[str, Any]) -> None:
        """A request was answered; the caller holds the lock."""
        if environ.get("PATH_INFO") == "/moto-api/reset":
            for file in self._folder.glob("*.pickle"):
                file.unlink()
        elif environ.get("PATH_INFO", "").startswith(("/moto-api/", "/_local_aws/")):
            return
        call = call_of(environ)
        if call.action.startswith(_READS):
            return
        service = botocore_name(call.service)
        if service in _LARGE:
            self._large.add(service)
        self._changed.set()

    def restore(self) -> list[str]:
        """Put back what a crashed daemon left. Returns the services whose state came back, by moto's names."""
        blobs.reopened.clear()
        restored = set()
        files = sorted(self._folder.glob("*.pickle"))
        loaded = []
        for file in files:
            module, _, name = file.stem.rpartition(".")
            service = module.split(".")[1]
            with self._aws.lock:
                self._services.open(service)
            loaded.append((file, getattr(importlib.import_module(module), name)))
            restored.add(service)
        for file, kind in loaded:
            try:
                self._restore_one(file, kind)
            except Exception:
                # Better an account without this service than no embedded AWS at all.
                log.exception("%s could not be read; what it held is lost", file.name)
        for body in self._aws.home.objects.iterdir():
            if body not in blobs.reopened:
                body.unlink()
        return sorted(restored)

    def _restore_one(self, file: Path, kind: type[BaseBackend]) -> None:
        found = _Unpickler(io.BytesIO(file.read_bytes())).load()
        backends = _backends_of(kind)
        for (account, region), state in found.items():
            backend = backends[account][region]
            backend.__dict__.clear()
            backend.__dict__.update(state)

    def _run(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            if self._stopping:
                return
            with contextlib.suppress(FileNotFoundError):  # the folder was deleted with the home
                time.sleep(max(PAUSE, self._write() / SHARE))

    def _write(self) -> float:
        """Write what has changed. Returns the seconds that requests may have waited for it."""
        spent = 0.0
        self._write_facts()
        large, self._large = self._large, set()
        for backends in list(BackendDict._instances):
            file = self._folder / f"{_name(backends.backend)}.pickle"
            if backends.service_name in _LARGE and backends.service_name not in large and file.exists():
                continue
            with self._aws.lock:
                began = time.monotonic()
                written = self._pickle(backends)
                spent += time.monotonic() - began
            if written is not None:
                _replace(file, written)
        return spent

    def _write_facts(self) -> None:
        facts = {"endpoint": self._aws.endpoint, "clock_ahead": self._aws.clock.ahead}
        write_atomically(self._folder / "daemon.json", json.dumps(facts))

    def _pickle(self, backends: Any) -> bytes | None:
        state = {
            (account, region): dict(backend.__dict__)
            for account, regions in list(backends.items())
            for region, backend in list(regions.items())
        }
        file = io.BytesIO()
        try:
            _Pickler(file, protocol=5).dump(state)
        except Exception as error:
            if backends.service_name not in self._unwritable:
                self._unwritable.add(backends.service_name)
                log.exception("the state of %s cannot be kept over a crash: %s", backends.service_name, error)
            return None
        return file.getvalue()


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def _name(kind: type[BaseBackend]) -> str:
    return f"{kind.__module__}.{kind.__name__}"


def _backends_of(kind: type[BaseBackend]) -> Any:
    module = importlib.import_module(kind.__module__)
    return next(value for value in vars(module).values() if isinstance(value, BackendDict) and value.backend is kind)


class _Pickler(cloudpickle.Pickler):
    """A backend that another one refers to is named, not copied. Locks and queues come back new and unused."""

    def persistent_id(self, thing: Any) -> Any:
        if isinstance(thing, BaseBackend):
            return _name(type(thing)), thing.account_id, thing.region_name
        return None

    def reducer_override(self, thing: Any) -> Any:
        for kind, make in _NEW:
            if type(thing) is kind:
                return make, ()
        if isinstance(thing, threading.Thread):
            return _nothing, ()
        if isinstance(thing, weakref.WeakValueDictionary):
            return weakref.WeakValueDictionary, (dict(thing),)
        if isinstance(thing, BackendDict):
            return _backends_named, (_name(thing.backend),)
        if isinstance(thing, defaultdict) and type(thing) is not defaultdict:  # its own __init__ takes other arguments
            return _empty_dict, (type(thing), thing.default_factory), dict(thing.__dict__), None, iter(thing.items())
        if isinstance(thing, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
            plain = serialization.NoEncryption()
            der = thing.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain)
            return _private_key, (der,)
        return super().reducer_override(thing)


_NEW: list[tuple[type, Any]] = [
    (type(threading.Lock()), threading.Lock),
    (type(threading.RLock()), threading.RLock),
    (threading.Condition, threading.Condition),
    (threading.Event, threading.Event),
    (queue.Queue, queue.Queue),
]


def _empty_dict(kind: type[defaultdict[Any, Any]], factory: Any) -> Any:
    made = kind.__new__(kind)
    made.default_factory = factory
    return made


def _private_key(der: bytes) -> Any:
    return serialization.load_der_private_key(der, None)


def _nothing() -> None:
    """Stands for what a crash ended."""


def _backends_named(name: str) -> Any:
    module, _, kind = name.rpartition(".")
    return _backends_of(getattr(importlib.import_module(module), kind))


class _Unpickler(cloudpickle.pickle.Unpickler):  # type: ignore[name-defined,misc]
    def persistent_load(self, identity: Any) -> Any:
        name, account, region = identity
        return _backends_named(name)[account][region]
