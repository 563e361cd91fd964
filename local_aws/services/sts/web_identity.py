"""AssumeRoleWithWebIdentity asks the role's trust policy. moto gives anybody any role.

The keys of identity providers cannot be fetched here: the one provider whose tokens can be verified is GitHub's, as
`python -m local_aws github-token` issues them.
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from __future__ import annotations

import base64
import json
from typing import Any

from joserfc.errors import JoseError
from moto.core.responses import ActionResult
from moto.iam.models import iam_backends
from moto.sts.exceptions import STSClientError
from moto.sts.responses import TokenResponse

from local_aws.iam.policies import Need
from local_aws.iam.principals import ACCOUNT, federated_may_assume, find_role
from local_aws.services.aws import Aws
from local_aws.services.sts import github

# Of GitHub's claims, those that a trust policy may name:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
_CLAIMS = (
    "aud", "sub", "repository", "repository_id", "ref", "environment", "actor", "workflow",
    "job_workflow_ref",
)  # fmt: skip
_SHORTEST, _LONGEST_BY_DEFAULT = 900, 3600


def close_gap(aws: Aws) -> None:
    def assume(self: TokenResponse) -> ActionResult:
        role_arn, text = str(self._get_param("RoleArn")), str(self._get_param("WebIdentityToken"))
        provider, claims = _identified(aws, text)
        role = find_role(role_arn)
        context = {f"{provider.url}:{name}".lower(): str(claims[name]) for name in _CLAIMS if name in claims}
        need = Need("sts:AssumeRoleWithWebIdentity", role_arn, context)
        if role is None or not federated_may_assume(role, provider.arn, need):
            raise STSClientError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        seconds = self._get_int_param("DurationSeconds", _LONGEST_BY_DEFAULT)
        longest = int(role.max_session_duration or _LONGEST_BY_DEFAULT)
        if not _SHORTEST <= seconds <= longest:
            said = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            raise STSClientError("ValidationError", said)
        session = self.backend.assume_role_with_web_identity(
            region_name=self.region,
            role_session_name=self._get_param("RoleSessionName"),
            role_arn=role_arn,
            policy=self._get_param("Policy") or "",
            duration=seconds,
            external_id="",
        )
        return ActionResult(
            {
                "Credentials": session,
                "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.arn},
                "SubjectFromWebIdentityToken": claims["sub"],
                "Provider": provider.arn,
                "Audience": claims["aud"],
                "PackedPolicySize": 0,
            }
        )

    TokenResponse.assume_role_with_web_identity = assume


def _identified(aws: Aws, text: str) -> tuple[Any, dict[str, Any]]:
    """Return the provider that issued a token, and the token's claims. STSClientError for one that is no good."""
    try:
        padded = text.split(".")[1] + "=="
        issuer = str(json.loads(base64.urlsafe_b64decode(padded))["iss"])
    except (IndexError, ValueError, KeyError, TypeError):
        raise STSClientError("InvalidIdentityToken", "The ID Token provided is not a valid JWT.") from None
    found = [
        provider
        for provider in iam_backends[ACCOUNT]["aws"].open_id_providers.values()
        if provider.url.rstrip("/") == issuer.removeprefix("https://").rstrip("/")
    ]
    if not found:
        raise STSClientError("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer}")
    try:
        claims = github.verified(aws.home, text)
    except (JoseError, ValueError):
        said = "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"
        raise STSClientError("InvalidIdentityToken", said) from None
    if int(str(claims["exp"])) < aws.clock.now() - aws.clock.ahead:  # its computer's clock is ours
        raise STSClientError("ExpiredTokenException", "Token expired: the expiration date/time is past")
    if claims["aud"] not in found[0].client_id_list:
        raise STSClientError("InvalidIdentityToken", "Incorrect token audience")
    return found[0], claims
