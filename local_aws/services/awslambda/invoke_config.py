"""EventInvokeConfigs: moto keeps one a function and never replaces it, AWS one for each version and alias.

https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import UnknownEventConfig
from moto.awslambda.models import LambdaBackend
from moto.awslambda.responses import LambdaResponse

from local_aws.clock import CLOCK
from local_aws.services.awslambda.functions import LATEST, FunctionName, backend, function_name
from local_aws.services.patching import replace

RETRIES, OLDEST = 2, 21_600


@dataclass(frozen=True)
class Config:
    """What happens to an event."""

    retries: int = RETRIES
    oldest: float = OLDEST  # seconds that it may wait
    on_success: str = ""
    on_failure: str = ""
    dead_letter: str = ""
    role: str = ""


def find(named: FunctionName) -> Config:
    """Return the configuration for asynchronous invocations of what is named. Hold the lock."""
    stored = backend(named.region)
    group = stored._lambdas._functions.get(named.name)
    if group is None or group["latest"] is None:
        return Config()
    said = _all(stored).get(_key(named), {})
    destinations = said.get("DestinationConfig") or {}
    return Config(
        int(said.get("MaximumRetryAttempts", RETRIES)),
        float(said.get("MaximumEventAgeInSeconds", OLDEST)),
        (destinations.get("OnSuccess") or {}).get("Destination", ""),
        (destinations.get("OnFailure") or {}).get("Destination", ""),
        getattr(group["latest"], "local_aws_dead_letter", ""),
        group["latest"].role,
    )


def forget(named: FunctionName) -> None:
    """What it is for is deleted."""
    kept = _all(backend(named.region))
    for key in [k for k in kept if k == _key(named) or (not named.qualifier and k.startswith(f"{named.name}:"))]:
        del kept[key]


def close_gap() -> None:
    """Patch moto."""
    replace(
        LambdaResponse,
        put_function_event_invoke_config=lambda self: _write(self, {}),
        update_function_event_invoke_config=lambda self: _write(self, None),
        get_function_event_invoke_config=_get,
        delete_function_event_invoke_config=_delete,
        list_function_event_invoke_configs=_list,
    )


def _write(self: LambdaResponse, before: dict[str, Any] | None) -> str:
    named = _named(self)
    kept = _all(self.backend)
    old = _existing(self.backend, named) if before is None else before
    given = {k: v for k, v in self.json_body.items() if v is not None}
    kept[_key(named)] = {**old, **given, "LastModified": int(CLOCK.now()), "FunctionArn": _arn(named)}
    return json.dumps(kept[_key(named)])


def _get(self: LambdaResponse) -> str:
    return json.dumps(_existing(self.backend, _named(self)))


def _delete(self: LambdaResponse) -> Any:
    named = _named(self)
    _existing(self.backend, named)
    del _all(self.backend)[_key(named)]
    return 204, {"status": 204}, ""


def _list(self: LambdaResponse) -> str:
    name = function_name(unquote(self.path.rsplit("/", 3)[1]), self.region).name
    mine = [config for key, config in _all(self.backend).items() if key.startswith(f"{name}:")]
    return json.dumps({"FunctionEventInvokeConfigs": mine})


def _named(self: LambdaResponse) -> FunctionName:
    qualifier = self.querystring.get("Qualifier", [""])[0]
    named = function_name(unquote(self.path.rsplit("/", 2)[1]), self.region, qualifier)
    self.backend.get_function(named.name, named.qualifier or None)  # raises when there is none
    return named


def _existing(stored: LambdaBackend, named: FunctionName) -> dict[str, Any]:
    if _key(named) not in _all(stored):
        raise UnknownEventConfig(_arn(named))
    return _all(stored)[_key(named)]


def _key(named: FunctionName) -> str:
    return f"{named.name}:{named.qualifier or LATEST}"


def _arn(named: FunctionName) -> str:
    return FunctionName(named.region, named.name, named.qualifier or LATEST).arn


def _all(stored: LambdaBackend) -> dict[str, dict[str, Any]]:
    if not hasattr(stored, "local_aws_invoke_configs"):
        stored.local_aws_invoke_configs = {}
    return stored.local_aws_invoke_configs  # type: ignore[no-any-return]
