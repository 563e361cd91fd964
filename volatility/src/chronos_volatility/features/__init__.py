"""What the models see: features of a session's close, and the label that comes after it."""

from chronos_volatility.features.feature_set import NAMES, TITLES, VERSION, compute, coverage, usable

__all__ = ["NAMES", "TITLES", "VERSION", "compute", "coverage", "usable"]
