"""The service `freetier`, as far as it tells an account's plan: moto does not have it. The plan can be set (fault_injection.py)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from local_aws import fault_injection
from local_aws.application import read_body
from local_aws.calls import call_of, credential_of
from local_aws.home import Home
from local_aws.iam.principals import ACCOUNT


class FreeTierApplication:
    """Answers GetAccountPlanState, and lets everything else through."""

    def __init__(self, application: Any, home: Home) -> None:
        self.application, self.home = application, home

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if credential_of(environ)[2] != "freetier":
            return self.application(environ, start_response)  # type: ignore[no-any-return]
        read_body(environ)
        call = call_of(environ)
        if call.action != "GetAccountPlanState":
            return call.refuse(start_response, {"code": "ValidationException", "message": f"{call.action}: not known"})
        plan = fault_injection.read(self.home).account_plan
        answer = {
            "accountId": ACCOUNT,
            "accountPlanType": plan,
            "accountPlanStatus": "ACTIVE",
            "accountPlanRemainingCredits": {"amount": 100.0 if plan == "FREE" else 0.0, "unit": "USD"},
        }
        body = json.dumps(answer).encode()
        start_response("200 OK", [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))])
        return [body]
