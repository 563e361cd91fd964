"""API keys, and how often somebody may call: usage plans with their rates and quotas, stages, methods, the account.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html

Buckets fill by AWS's clock.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from moto.apigateway.models import APIGatewayBackend

from local_aws.clock import Clock
from local_aws.services.apigateway.snapshot import Method

ACCOUNT_RATE, ACCOUNT_BURST = 10_000.0, 5_000.0


@dataclass
class _Bucket:
    rate: float
    burst: float
    tokens: float
    when: float

    def take(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.when) * self.rate)
        self.when = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Limits:
    """Thread-safe. The account is asked with its lock held."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, ...], _Bucket] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        """The account is emptied."""
        with self._lock:
            self._buckets.clear()

    def of_stage(self, api_id: str, stage: Any, method: Method) -> bool:
        """Whether the account, the stage and the method let one more through."""
        if not self._take(("account",), ACCOUNT_RATE, ACCOUNT_BURST):
            return False
        settings = _settings(stage, method)
        rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
        if rate is None or burst is None:
            return True
        return self._take(("stage", api_id, stage.name, method.key), float(rate), float(burst))

    def of_plan(self, plan: Any, key_id: str, api_id: str, stage: Any, method: Method) -> bool:
        """Whether a usage plan lets a key through: as a whole, and for the method."""
        throttle = plan.throttle or {}
        if throttle and not self._take_of(("plan", plan.id, key_id), throttle):
            return False
        for one in plan.api_stages:
            own = (one.get("throttle") or {}).get(method.key) if _is(one, api_id, stage.name) else None
            if own and not self._take_of(("plan", plan.id, key_id, method.key), own):
                return False
        return True

    def of_quota(self, backend: APIGatewayBackend, plan: Any, key_id: str) -> bool:
        """Whether the key has calls left in this period; takes one. Hold the account's lock: it is kept there."""
        if not plan.quota or not plan.quota.get("limit"):
            return True
        kept = backend.__dict__.setdefault("local_aws_usage", {})
        began = _period(self._clock.utcnow(), plan.quota.get("period", "DAY"))
        since, used = kept.get((plan.id, key_id), ("", 0))
        used = used if since == began else 0
        if used >= int(plan.quota["limit"]):
            return False
        kept[plan.id, key_id] = (began, used + 1)
        return True

    def _take_of(self, which: tuple[str, ...], throttle: dict[str, Any]) -> bool:
        rate, burst = throttle.get("rateLimit"), throttle.get("burstLimit")
        if rate is None and burst is None:
            return True
        return self._take(which, float(rate or 0), float(burst or 0))

    def _take(self, which: tuple[str, ...], rate: float, burst: float) -> bool:
        now = self._clock.now()
        with self._lock:
            bucket = self._buckets.get(which)
            if bucket is None or (bucket.rate, bucket.burst) != (rate, burst):
                bucket = self._buckets[which] = _Bucket(rate, burst, burst, now)
            return bucket.take(now)


def find_key(backend: APIGatewayBackend, value: str, api_id: str, stage: str) -> tuple[Any, Any] | None:
    """Return the key with this value and the plan that lets it call this stage. Hold the account's lock."""
    key = next((key for key in backend.keys.values() if key.value == value and key.enabled), None)
    if key is None:
        return None
    for plan in backend.usage_plans.values():
        if key.id in backend.usage_plan_keys.get(plan.id, {}) and any(_is(o, api_id, stage) for o in plan.api_stages):
            return key, plan
    return None


def _is(one: dict[str, Any], api_id: str, stage: str) -> bool:
    return bool(one.get("apiId") == api_id and one.get("stage") == stage)


def _settings(stage: Any, method: Method) -> dict[str, Any]:
    """A method's own settings are over those of the stage. A path's / is ~1 there."""
    escaped = method.path.lstrip("/").replace("/", "~1")
    for key in (f"{escaped}/{method.name}", f"~1{escaped}/{method.name}", f"{method.path}/{method.name}", "*/*"):
        if key in stage.method_settings:
            return dict(stage.method_settings[key])
    return {}


def _period(now: datetime, period: str) -> str:
    """Return when the running period began, in UTC."""
    day = now - timedelta(days=(now.weekday() + 1) % 7) if period == "WEEK" else now  # weeks begin on Sunday
    return f"{day:%Y-%m}" if period == "MONTH" else f"{day:%Y-%m-%d}"
