"""RunInstances with a ClientToken is idempotent.

moto stores the token and launches again. On AWS the same token with the same parameters gives the reservation of the
first call, and with other parameters the error IdempotentParameterMismatch; the launch's crash recovery rests on both.
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses.instances import InstanceResponse

_Key = tuple[str, str, str]  # account, region, token
_MISMATCH = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."


class IdempotentParameterMismatch(EC2ClientError):
    def __init__(self) -> None:
        super().__init__("IdempotentParameterMismatch", _MISMATCH)


def close_gap() -> None:
    launched: dict[_Key, tuple[str, str]] = {}  # to the fingerprint of the parameters and the reservation's id
    run_instances = InstanceResponse.run_instances

    def idempotent_run_instances(self: InstanceResponse) -> ActionResult:
        token = self._get_param("ClientToken")
        if not token or self._get_param("DryRun"):
            return run_instances(self)
        key = (self.current_account, self.region, str(token))
        fingerprint = _fingerprint(self.data)
        earlier, reservation_id = launched.get(key, ("", ""))
        reservation = self.ec2_backend.reservations.get(reservation_id)
        if reservation is None:  # never used, or moto's state was reset since
            result = run_instances(self)
            launched[key] = (fingerprint, result.result.id)  # type: ignore[attr-defined]
            return result
        if earlier != fingerprint:
            raise IdempotentParameterMismatch()
        return ActionResult(reservation)

    InstanceResponse.run_instances = idempotent_run_instances


def _fingerprint(parameters: dict[str, Any]) -> str:
    return json.dumps({name: parameters[name] for name in parameters if name != "ClientToken"}, sort_keys=True)
