"""The Lambda function behind API Gateway."""

from __future__ import annotations

from mangum import Mangum

from chronos_volatility.serving.app import app, service

service()  # a cold start pays for the clients before the first request is timed
handler = Mangum(app, lifespan="off")
