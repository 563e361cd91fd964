"""The layer that lets a request through or refuses it, as the service itself would.

GET    /_local_aws/decisions   what was decided since the start or the last DELETE: [{principal, action, resource, allowed,
                               by, count}]; `by` are the statements that decided, as policy/Sid. The account's root and what
                               it does are not in it.
DELETE /_local_aws/decisions   start over
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from local_aws.application import read_body
from local_aws.calls import Call, call_of, credential_of
from local_aws.control import DECISIONS_PATH
from local_aws.home import ACCESS_KEY
from local_aws.iam import decisions, deletion
from local_aws.iam.conditions import UnknownElement
from local_aws.iam.needs import common_context, needs_of, s3
from local_aws.iam.policies import Decision, Need
from local_aws.iam.principals import NotRecognized, Principal, principal_of

log = logging.getLogger("local_aws.iam")
Refusal = dict[str, Any]


class GuardedApplication:
    """Asks the policies before every request. `lock` guards moto's state."""

    def __init__(self, application: Any, lock: threading.RLock) -> None:
        self.application = application
        self.lock = lock

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == DECISIONS_PATH:
            return self._administer(environ, start_response)
        # moto's own interface is nobody's AWS.
        if not path.startswith(("/_local_aws/", "/moto-api/")):
            read_body(environ)
            with self.lock:
                refusal = self._judge(environ)
            if refusal is not None:
                return call_of(environ).refuse(start_response, refusal)
            if "local_aws.refused" in environ:
                return deletion.answer(self.application, call_of(environ), start_response)
        return self.application(environ, start_response)  # type: ignore[no-any-return]

    def _judge(self, environ: dict[str, Any]) -> Refusal | None:
        access_key, _, service = credential_of(environ)
        if access_key == ACCESS_KEY and service != "s3":
            return None  # only a bucket's policy is over the account's root
        call = call_of(environ)
        try:
            token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN") or call.parameters.get("X-Amz-Security-Token")
            caller = principal_of(access_key, token)
        except NotRecognized as error:
            return _not_recognized(call, error.reason)
        try:
            if caller.kind == "root" and not decisions.bucket_statements(call.parameters.get("Bucket", "")):
                return None
            return self._judge_needs(call, caller)
        except UnknownElement as error:
            # Not silently allowed: whoever meets this adds what is missing in local_aws/iam, or corrects the policy.
            log.error("denied %s to %s: %s is not known to the embedded AWS", call.action, caller.arn, error)
            return _denied(call, f"{error} is not known to the embedded AWS (see local_aws/iam)")

    def _judge_needs(self, call: Call, caller: Principal) -> Refusal | None:
        common = {**common_context(call), **caller.context}
        refused = []
        for place, need in enumerate(needs_of(call, caller.account)):
            full = replace(need, context={**common, **need.context})
            decision = decisions.decide_and_note(full, caller)
            if decision.allowed:
                continue
            if call.action != "DeleteObjects":
                return _denied(call, _sentence(caller, full, decision))
            refused.append((place, need.resource.partition("/")[2], _sentence(caller, full, decision)))
        if refused:
            deletion.leave_out(call, refused)
        if call.service == "s3" and call.action in ("GetObject", "HeadObject") and not _exists(call):
            need = s3.may_tell_absence(call)
            # Recorded for nobody: the request was allowed, this only chooses the words.
            if not decisions.decide(replace(need, context={**common, **need.context}), caller).allowed:
                return {"code": "AccessDenied", "message": "Access Denied", "status": 403}
        return None

    def _administer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with self.lock:
            if environ["REQUEST_METHOD"] == "DELETE":
                decisions.forget()
            body = json.dumps(decisions.noted()).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def _exists(call: Call) -> bool:
    bucket = decisions.bucket(call.parameters["Bucket"])
    return bucket is None or call.parameters["Key"] in bucket.keys  # a missing bucket is another answer


def _sentence(caller: Principal, need: Need, decision: Decision) -> str:
    return (
        f'User: {caller.arn or "anonymous"} is not authorized to perform: {need.action} on resource: "{need.resource}" '
        f"{decision.why}"
    )


def _denied(call: Call, sentence: str) -> Refusal:
    protocol = call.protocol
    if protocol == "ec2":
        message = f"You are not authorized to perform this operation. {sentence}"
        return {"code": "UnauthorizedOperation", "message": message, "status": 403}
    if protocol in ("query", "rest-xml"):
        code = "AuthorizationError" if call.service == "sns" else "AccessDenied"
        return {"code": code, "message": sentence, "status": 403}
    status = 403 if protocol == "rest-json" else 400
    return {"code": "AccessDeniedException", "message": sentence, "status": status}


def _not_recognized(call: Call, reason: str) -> Refusal:
    """The words of the service for credentials that are nobody's."""
    protocol = call.protocol
    code, message, status = {
        "ec2": ("AuthFailure", "AWS was not able to validate the provided access credentials", 401),
        "rest-xml": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
        "query": ("InvalidClientTokenId", "The security token included in the request is invalid.", 403),
    }.get(protocol, ("UnrecognizedClientException", "The security token included in the request is invalid.", 400))
    if reason == "token" and protocol == "rest-xml":
        code, message, status = "InvalidToken", "The provided token is malformed or otherwise invalid.", 400
    if reason == "expired":
        code = {"ec2": "RequestExpired", "rest-xml": "ExpiredToken", "query": "ExpiredToken"}.get(
            protocol, "ExpiredTokenException"
        )
        message, status = "The provided token has expired.", 400
    return {"code": code, "message": message, "status": status}
