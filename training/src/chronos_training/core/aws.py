"""AWS clients. Their errors become sentences in `explanations.py`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore import exceptions as botocore_errors
from botocore.config import Config
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError

from .errors import TrainingError, Unreachable
from .explanations import error_code, explain
from .sent_requests import SentRequests

__all__ = ["ONCE", "SENT", "STANDARD", "client", "credentials", "error_code", "explain", "explained", "session"]

# Ordinary calls: botocore's own retries serve them. The state store must not have them (see `wire.py`).
STANDARD = Config(
    retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=60, max_pool_connections=32
)
# RunInstances answers InsufficientInstanceCapacity with a 500, which botocore would repeat in the same full zone.
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)

# One session for the process: each new one would read botocore's data again, a second on a small machine. Making a client
# from it is not safe in two threads at once; using one is.
_session_lock = threading.Lock()
_session: boto3.session.Session | None = None
SENT = SentRequests()


def client(service: str, *, region: str | None = None, config: Config = STANDARD) -> Any:
    """Return a boto3 client. Endpoint, credentials and default region come from the standard AWS environment."""
    with explained(f"open a connection to {service}"), _session_lock:
        return session().client(service, region_name=region, config=config)  # type: ignore[call-overload]  # any service


def credentials() -> Any:
    """Return access_key, secret_key and token as they are valid now, for a program that is started with them.

    Raises botocore's NoCredentialsError when there are none.
    """
    with _session_lock:
        found = session().get_credentials()
    if found is None:
        raise botocore_errors.NoCredentialsError
    return found.get_frozen_credentials()


def session() -> boto3.session.Session:
    """Return the process's one session; what is registered on its events holds for clients made after that."""
    global _session
    if _session is None:
        _session = boto3.session.Session()
        SENT.listen(_session.events)
    return _session


def model_loader() -> Any:
    """Return botocore's loader of service models: the session's own, or a new one where the profile allows no session."""
    try:
        with _session_lock:
            return session()._session.get_component("data_loader")
    except botocore_errors.BotoCoreError:  # told in a sentence by whoever makes a client
        return create_loader()


def read_models(*services: str) -> None:
    """Read the descriptions of `services` now: clients of this process, and of those forked from it, then need not.

    Never raises: what is wrong, such as a profile that does not exist, is told by the first client, in a sentence.
    """
    loader = model_loader()
    with suppress(botocore_errors.BotoCoreError), _session_lock:
        for name in ("endpoints", "partitions", "_retry"):
            loader.load_data(name)
        for service in services:
            for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
                loader.load_service_model(service, kind)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an AWS error inside the block into a TrainingError. `what` completes "Could not …"."""
    try:
        yield
    except (botocore_errors.ClientError, botocore_errors.BotoCoreError) as error:
        raise explain(error, what) from error
    except ResponseParserError as error:
        raise Unreachable(f"Could not {what}: the answer was cut off.", hint="Repeat the command.") from error
    except Boto3Error as error:  # upload_file and download_file wrap what they meet in errors of their own
        cause = error.__context__
        if isinstance(cause, (botocore_errors.ClientError, botocore_errors.BotoCoreError)):
            raise explain(cause, what) from error
        raise TrainingError(f"Could not {what}: {error}") from error
