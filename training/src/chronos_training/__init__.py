"""Chronos Training: forecasting models trained on an AWS instance that exists only while it trains."""

__version__ = "0.1.0"
