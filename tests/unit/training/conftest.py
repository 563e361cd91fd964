"""Fixtures of a small panel."""

from tests.unit.small_panel import chunk, config, panel  # noqa: F401
