"""What a service is given when it is opened: the home, the lock, the clock, and clients of the embedded AWS itself."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from local_aws.calls import Call
from local_aws.clock import CLOCK, Clock
from local_aws.home import ACCESS_KEY, REGION, SECRET_KEY, Home, client_environment

Plane = Callable[..., Any]  # a WSGI application
# Answers a call itself: (call, start_response) -> the body.
Handler = Callable[[Call, Any], Iterable[bytes]]


@dataclass
class Aws:
    """The embedded AWS as its own services see it.

    `lock` guards moto's state. It must not be held while anything slow happens, nor while a client of `client()` is
    used: the request is answered by another thread, which waits for the lock.
    """

    home: Home
    lock: threading.RLock
    endpoint: str
    level: str  # of instances; see local_aws/levels
    clock: Clock = CLOCK
    # A path's beginning to what answers below it; see DATA_PLANES.
    planes: dict[str, Plane] = field(default_factory=dict)
    # Operations that wait for something, and so are answered outside of the lock, but behind the policies and the rules:
    # (botocore's name of the service, operation) to what answers it.
    outside: dict[tuple[str, str], Handler] = field(default_factory=dict)
    # Open another service, by moto's name of it, that this one needs. Hold the lock.
    open: Callable[[str], None] = field(init=False)
    # Of roles that services have taken; see role_clients.py.
    sessions: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)
    _at_reset: list[Callable[[], None]] = field(default_factory=list)
    _at_stop: list[Callable[[], None]] = field(default_factory=list)
    _described: dict[str, Callable[[], list[dict[str, Any]]]] = field(default_factory=dict)
    _clients: dict[tuple[str, str, str, str], Any] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock)

    def at_reset(self, function: Callable[[], None]) -> None:
        """Call `function` before the account is emptied (a test does that), without the lock: end processes, forget."""
        self._at_reset.append(function)

    def at_stop(self, function: Callable[[], None]) -> None:
        """Call `function` when the embedded AWS ends, without the lock. Every process must be gone when it returns."""
        self._at_stop.append(function)

    def describe_by(self, name: str, function: Callable[[], list[dict[str, Any]]]) -> None:
        """Show what `function` returns in `python -m local_aws status`: processes that run, one dict each."""
        self._described[name] = function

    def reset(self) -> None:
        """Before the account is emptied."""
        for function in self._at_reset:
            function()
        self._clients.clear()
        self.sessions.clear()
        self.clock.forget()

    def stop(self) -> None:
        """Before the process ends."""
        self.clock.stop()
        for function in self._at_stop:
            function()

    def describe(self) -> dict[str, list[dict[str, Any]]]:
        """For status."""
        return {name: function() for name, function in self._described.items()}

    def client(self, service: str, credentials: dict[str, str] | None = None, region: str = REGION) -> Any:
        """A botocore client of the embedded AWS, made once: with `credentials` (see iam/service_roles.py), or as the root.

        Every call passes the policies as anybody's does. No retries: whoever calls decides about them.
        """
        keys = credentials or {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY}
        which = (service, region, keys["AccessKeyId"], keys.get("SessionToken", ""))
        with self._making:
            if which not in self._clients:
                self._clients[which] = self._new_client(service, region, keys)
            return self._clients[which]

    @functools.cached_property
    def _session(self) -> Any:
        import botocore.session

        return botocore.session.get_session()  # one, because each reads the models of its services anew

    def _new_client(self, service: str, region: str, keys: dict[str, str]) -> Any:
        from botocore.config import Config

        return self._session.create_client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=64, read_timeout=960, proxies={}),
        )

    def environment(self, credentials: dict[str, str] | None = None, region: str = REGION) -> dict[str, str]:
        """The variables by which a process reaches this AWS and no other: as a role's session, or without any key."""
        variables = client_environment(self.endpoint, region)
        del variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]
        if credentials:
            variables["AWS_ACCESS_KEY_ID"] = credentials["AccessKeyId"]
            variables["AWS_SECRET_ACCESS_KEY"] = credentials["SecretAccessKey"]
            variables["AWS_SESSION_TOKEN"] = credentials["SessionToken"]
        return variables
