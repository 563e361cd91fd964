"""AWS errors as sentences: what could not be done, why, and what to do about it. One sentence for each cause.

AWS's own code and words stand in each: they are what a person searches for, and they tell when our reading is wrong.
"""

from __future__ import annotations

import os
import re
from typing import Any

from botocore import exceptions as botocore_errors

from .commands import playbook, sign_in
from .errors import PermissionDenied, TrainingError, Unreachable

# Services name the same cause differently; each set is one cause. S3's HEAD requests have a number instead of a name.
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException", "403"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_INVALID = {
    "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthFailure",
    "InvalidToken", "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken",
}  # fmt: skip
_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
_THROTTLED = {
    "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException",
    "SlowDown", "RequestThrottled", "RequestThrottledException",
}  # fmt: skip
# A signature is good for some minutes around AWS's own time. Services other than S3 have no code for it, only words.
_SKEW_CODE = "RequestTimeTooSkewed"
_SKEW_WORDS = re.compile(r"Signature (expired|not yet current)", re.IGNORECASE)
_NOT_AUTHORIZED = re.compile(
    r"(?:User: (?P<who>\S+) )?is not authorized to perform: (?P<action>[\w-]+:\w+)"
    r"(?: on resource: (?P<resource>\"[^\"]+\"|\S+))?(?: (?P<why>(?:because|with an explicit deny).*))?",
    re.DOTALL,
)
_SIGN_IN_AGAIN = "Sign in again (`{}`, or new keys), then repeat the command."
# EC2 appends an encrypted account of the decision, a thousand characters that help no reader.
_ENCODED = re.compile(r"\s*Encoded authorization failure message:.*", re.DOTALL)


def error_code(error: BaseException) -> str:
    """Return the AWS error code of a ClientError (`NoSuchKey`, `404`, …), or an empty string."""
    if isinstance(error, botocore_errors.ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def words(code: str, message: str) -> str:
    """Return an answer of AWS as it reads: its code and its words."""
    return ": ".join(filter(None, (code or "error", message.strip().rstrip("."))))


def explain(error: Exception, what: str) -> TrainingError:
    """Return the TrainingError that tells a person why AWS did not do `what` and what to do next."""
    if isinstance(error, botocore_errors.ClientError):
        return _answered(error, f"Could not {what}")
    return _unanswered(error, f"Could not {what}")


def _answered(error: Any, failed: str) -> TrainingError:
    """Explain an error that AWS sent."""
    code, message = error_code(error), str(error.response.get("Error", {}).get("Message", ""))
    said = words(code, message)
    if code == _SKEW_CODE or _SKEW_WORDS.search(message):
        return TrainingError(
            f"{failed}: this machine's clock is wrong; AWS rejects requests signed more than a few minutes off its "
            f"own time{_times(error)} ({said}).",
            hint="Set the clock (`timedatectl set-ntp true`, or your system's time settings), then repeat the command.",
            code="clock_skew",
        )
    if code in _EXPIRED:
        return TrainingError(
            f"{failed}: your AWS credentials have expired ({said}).",
            hint=_SIGN_IN_AGAIN.format(sign_in()),
            code="credentials_expired",
        )
    if code in _INVALID:
        return TrainingError(
            f"{failed}: AWS does not accept these credentials ({said}).",
            hint="Check AWS_PROFILE or AWS_ACCESS_KEY_ID, and that the region is enabled in the account.",
            code="credentials_invalid",
        )
    if code in _DENIED:
        return PermissionDenied(f"{failed}: {_denial(error, code, message)}")
    if code == "NoSuchBucket":
        name = error.response.get("Error", {}).get("BucketName", "")
        return TrainingError(
            f"{failed}: the bucket {name + ' ' if name else ''}does not exist ({code}).",
            hint=f"Run this first: {playbook(None, 'provision_infrastructure')}",
            code="not_provisioned",
        )
    if code in _REGION:
        return TrainingError(
            f"{failed}: the bucket is in {_region(error) or 'another region'}, but the request went elsewhere "
            f"({said}).",
            hint="Set training_region to the bucket's region.",
            code="configuration_invalid",
        )
    if code == "OptInRequired":
        return TrainingError(
            f"{failed}: this account may not use the service or the region ({said}).", code="permission_denied"
        )
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _THROTTLED:
        return Unreachable(f"{failed}: AWS is throttling this account's requests ({said}).", hint="Try again.")
    if status >= 500:
        return Unreachable(f"{failed}: AWS had an internal error ({said}).", hint="Try again.")
    return TrainingError(f"{failed}: {said}.")


def _unanswered(error: Exception, failed: str) -> TrainingError:
    """Explain an error of this side: no credentials, no region, no connection."""
    if isinstance(error, botocore_errors.NoCredentialsError):
        profile = os.environ.get("AWS_PROFILE")
        where = f" in the profile {profile} (AWS_PROFILE)" if profile else ""
        return TrainingError(
            f"{failed}: there are no AWS credentials{where}.",
            hint=f"Set AWS_PROFILE to {'another' if profile else 'a profile'}, sign in with `{sign_in()}`, or see `aws configure`.",
            code="credentials_missing",
        )
    if isinstance(error, botocore_errors.PartialCredentialsError):
        return TrainingError(
            f"{failed}: the AWS credentials are incomplete: {error}.",
            hint="Set what is missing.",
            code="credentials_missing",
        )
    if isinstance(error, botocore_errors.ProfileNotFound):
        return TrainingError(
            f"{failed}: {error}.",
            hint="Check AWS_PROFILE; `aws configure list-profiles` shows them.",
            code="credentials_missing",
        )
    if isinstance(error, (botocore_errors.NoRegionError, botocore_errors.InvalidRegionError)):
        return TrainingError(
            f"{failed}: no usable AWS region is set.",
            hint="Set training_region or AWS_REGION.",
            code="configuration_invalid",
        )
    expired = (botocore_errors.TokenRetrievalError, botocore_errors.SSOError, botocore_errors.CredentialRetrievalError)
    if isinstance(error, expired):
        return TrainingError(
            f"{failed}: your AWS credentials have expired, or cannot be renewed ({str(error).rstrip('.')}).",
            hint=_SIGN_IN_AGAIN.format(sign_in()),
            code="credentials_expired",
        )
    if isinstance(error, (botocore_errors.HTTPClientError, botocore_errors.ConnectionError)):
        return Unreachable(
            f"{failed}: AWS cannot be reached: {str(error).rstrip('.')}.",
            hint="Check the network, proxy and region, then try again.",
        )
    return TrainingError(f"{failed}: {error}")


def _denial(error: Any, code: str, message: str) -> str:
    """Return who lacks which action on which resource, as far as AWS says it."""
    found = _NOT_AUTHORIZED.search(_ENCODED.sub("", message))
    if found is None:
        operation = getattr(error, "operation_name", "") or "this call"
        said = words(code, _ENCODED.sub("", message))
        return f"AWS denied {operation} and does not say why ({said}). Permission for that call is missing, or a policy denies it."
    who = found["who"] or "you"
    resource = (found["resource"] or "").strip('"').rstrip(".")
    why = (found["why"] or "").strip().rstrip(".")
    where = f" on {resource}" if resource and resource != "*" else ""
    return f"missing permission: {who} may not {found['action']}{where}{', ' + why if why else ''} ({code})."


def _region(error: Any) -> str:
    answer = error.response
    header = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region", "")
    return str(answer.get("Error", {}).get("Region") or header)


def _times(error: Any) -> str:
    details = error.response.get("Error", {})
    if "RequestTime" in details and "ServerTime" in details:
        return f" (here {details['RequestTime']}, at AWS {details['ServerTime']})"
    return ""
