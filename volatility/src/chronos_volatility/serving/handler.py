"""The Lambda function behind API Gateway."""

from __future__ import annotations

import gc

# What is imported stays: to look for garbage meanwhile is an eighth of a cold start.
gc.disable()

from mangum import Mangum  # noqa: E402

from chronos_volatility.serving.app import app, service  # noqa: E402

service()  # a cold start pays for the clients before the first request is timed
handler = Mangum(app, lifespan="off")
gc.freeze()
gc.enable()
