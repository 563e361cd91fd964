"""AWS clients, and AWS errors as sentences."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore import exceptions as botocore_errors
from botocore.config import Config

from .errors import PermissionDenied, TrainingError

# Ordinary calls: botocore's own retries serve them. The state store must not have them (see `wire.py`).
STANDARD = Config(
    retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=60, max_pool_connections=32
)
# RunInstances answers InsufficientInstanceCapacity with a 500, which botocore would repeat in the same full zone.
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure", "403"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_INVALID = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}


# One session for the process: each new one would read botocore's data again, a second on a small machine. Making a client
# from it is not safe in two threads at once; using one is.
_session_lock = threading.Lock()
_session: boto3.session.Session | None = None


def client(service: str, *, region: str | None = None, config: Config = STANDARD) -> Any:
    """Return a boto3 client. Endpoint, credentials and default region come from the standard AWS environment."""
    global _session
    with explained(f"open a connection to {service}"), _session_lock:
        _session = _session or boto3.session.Session()
        return _session.client(service, region_name=region, config=config)


def error_code(error: BaseException) -> str:
    """Return the AWS error code of a ClientError (`NoSuchKey`, `404`, …), or an empty string."""
    if isinstance(error, botocore_errors.ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an AWS error inside the block into a TrainingError. `what` completes "Could not …"."""
    try:
        yield
    except (botocore_errors.ClientError, botocore_errors.BotoCoreError) as error:
        raise explain(error, what) from error


def explain(error: Exception, what: str) -> TrainingError:
    """Return the TrainingError that tells a person why AWS did not do `what` and what to do next."""
    code = error_code(error)
    if isinstance(error, (botocore_errors.NoCredentialsError, botocore_errors.PartialCredentialsError)):
        return TrainingError(
            f"Could not {what}: there are no AWS credentials.",
            hint="Set AWS_PROFILE, run `aws sso login`, or see the AWS CLI's `aws configure`.",
        )
    if isinstance(error, botocore_errors.NoRegionError):
        return TrainingError(f"Could not {what}: no AWS region is set.", hint="Set training_region or AWS_REGION.")
    expired = (botocore_errors.TokenRetrievalError, botocore_errors.SSOError, botocore_errors.CredentialRetrievalError)
    if code in _EXPIRED or isinstance(error, expired):
        return TrainingError(
            f"Could not {what}: your AWS credentials have expired.", hint="Sign in again, then repeat the command."
        )
    if code in _INVALID:
        return TrainingError(
            f"Could not {what}: AWS does not know these credentials ({code}).", hint="Check AWS_PROFILE."
        )
    if code in _DENIED:
        return PermissionDenied(f"Could not {what}: AWS denied it: {_sentence(error)}")
    if code == "NoSuchBucket":
        return TrainingError(
            f"Could not {what}: the bucket does not exist.", hint="Run playbooks/provision_infrastructure.yml first."
        )
    if code in _REGION:
        return TrainingError(
            f"Could not {what}: the bucket is in another region.", hint="Set training_region to the bucket's region."
        )
    unreachable = (botocore_errors.HTTPClientError, botocore_errors.EndpointConnectionError)
    if isinstance(error, unreachable):
        return TrainingError(
            f"Could not {what}: AWS cannot be reached: {error}", hint="Check the network and try again."
        )
    return TrainingError(f"Could not {what}: {_sentence(error)}")


def _sentence(error: Exception) -> str:
    """Return AWS's own words without botocore's frame."""
    if isinstance(error, botocore_errors.ClientError):
        details = error.response.get("Error", {})
        return f"{details.get('Code', 'error')}: {details.get('Message', '')}".strip().rstrip(".") + "."
    return str(error)
