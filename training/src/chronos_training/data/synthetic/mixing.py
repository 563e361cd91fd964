"""Synthetic series: KernelSynth draws from Gaussian processes with random kernels, TSMixup mixes real windows.

Both after the descriptions in Ansari et al. 2024, Chronos: Learning the Language of Time Series (arXiv:2403.07815),
section 4.2 and appendix A.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray
MAX_KERNELS = 5
# Periods in observations: the hours, days, weeks and months of the usual frequencies.
PERIODS = (4, 6, 7, 10, 12, 14, 24, 26, 28, 30, 48, 52, 60, 96, 168, 365)
MIXED = 3  # windows in one mixture, at most
CONCENTRATION = 1.5  # of the Dirichlet distribution of their weights
# A covariance that is numerically not positive definite gets more of this on its diagonal.
JITTERS = (1e-6, 1e-4, 1e-2)


def generator(seed: int, stream: int, index: int) -> np.random.Generator:
    """Return the random numbers of one thing: the same for the same three numbers, whoever asks and when."""
    # Philox is a counter-based generator: a key is a stream of its own, a counter that far apart another one.
    key = np.array([seed, index], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, 0, stream], dtype=np.uint64)))


class Stream:
    """The random numbers of one stream, index after index, in a quarter of the time that new generators take."""

    def __init__(self, seed: int, stream: int) -> None:
        """As for `generator`."""
        self._random = generator(seed, stream, 0)
        self._begin: dict[str, Any] = dict(self._random.bit_generator.state)

    def at(self, index: int) -> np.random.Generator:
        """Return what `generator` returns for `index`; it is good until the next call."""
        self._begin["state"]["key"][1] = index
        self._random.bit_generator.state = self._begin
        return self._random


def kernel_synth(random: np.random.Generator, length: int) -> Array:
    """Return one series (length,) float32: a Gaussian process whose kernel is a random sum and product of simple ones."""
    distance, product = _grid(length)
    covariance = _kernel(random, length)(distance, product)
    for _ in range(int(random.integers(0, MAX_KERNELS))):
        other = _kernel(random, length)(distance, product)
        covariance = covariance + other if random.random() < 0.5 else covariance * other
    normal = random.standard_normal(length)
    scale = float(np.mean(np.diag(covariance))) or 1.0
    for jitter in JITTERS:
        try:
            lower = np.linalg.cholesky(covariance + jitter * scale * np.eye(length))
        except np.linalg.LinAlgError:
            continue
        return np.asarray(lower @ normal, dtype=np.float32)
    return np.asarray(normal, dtype=np.float32)  # white noise is a Gaussian process, too


def _grid(length: int) -> tuple[Array, Array]:
    x = np.linspace(0.0, 1.0, length)
    return np.abs(x[:, None] - x[None, :]), x[:, None] * x[None, :]


def _kernel(random: np.random.Generator, length: int) -> Callable[[Array, Array], Array]:
    """Return a random kernel of the bank; it takes |x - x'| and x·x' on the unit interval."""
    kind = int(random.integers(6))
    if kind == 0:
        return lambda d, p: np.ones_like(d)
    if kind == 1:
        variance = float(random.choice([0.1, 1.0]))
        return lambda d, p: variance * (d == 0)
    if kind == 2:
        offset = float(random.choice([0.0, 1.0, 10.0]))
        return lambda d, p: p + offset**2
    if kind == 3:
        scale = float(random.choice([0.1, 1.0, 10.0]))
        return lambda d, p: np.exp(-0.5 * (d / scale) ** 2)
    if kind == 4:
        alpha = float(random.choice([0.1, 1.0, 10.0]))
        return lambda d, p: np.asarray((1.0 + d**2 / (2.0 * alpha)) ** -alpha)
    period = float(random.choice([n for n in PERIODS if n <= length // 2] or [max(2, length // 2)])) / length
    return lambda d, p: np.exp(-2.0 * np.sin(np.pi * d / period) ** 2)


def mix(random: np.random.Generator, windows: list[Array]) -> Array:
    """Return a weighted sum (length,) of windows, each divided by its mean absolute value; missing where all are missing."""
    weights = random.dirichlet([CONCENTRATION] * len(windows))
    total = np.zeros_like(windows[0])
    seen = np.zeros(len(total), bool)
    for weight, window in zip(weights, windows, strict=True):
        there = ~np.isnan(window)
        scale = float(np.abs(window[there]).mean()) if there.any() else 0.0
        total += np.float32(weight) * np.where(there, window, 0.0) / np.float32(scale or 1.0)
        seen |= there
    return np.where(seen, total, np.float32(np.nan)).astype(np.float32)
