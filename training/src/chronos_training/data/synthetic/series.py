"""Synthetic series of the kinds that people forecast: structural, SARIMA, prices, counts, intermittent demand, KernelSynth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from chronos_training.data.synthetic.mixing import kernel_synth
from chronos_training.data.synthetic.parts import (
    Array,
    Calendar,
    calendar,
    holidays,
    log_uniform,
    noise,
    seasons,
    shifts,
    standardized,
    trend,
)

LIMIT = 6.0  # of what is exponentiated, so that no series spans more than a few powers of ten


def structural(random: np.random.Generator, length: int) -> Array:
    """Return trend + seasons + events + noise, as it is or through a transformation (exponential: everything multiplies)."""
    values = _latent(random, length, calendar(random))
    kind = int(random.integers(6))
    if kind <= 2:
        return values
    scaled = np.clip(standardized(values), -LIMIT, LIMIT)
    if kind <= 4:
        return np.asarray(np.exp(scaled * log_uniform(random, 0.05, 0.8)))
    # Nothing below a floor: sunshine, rain, demand that stands still at night.
    return np.asarray(np.maximum(scaled - np.quantile(scaled, random.uniform(0.05, 0.6)), 0.0))


def _latent(random: np.random.Generator, length: int, found: Calendar) -> Array:
    out = log_uniform(random, 0.05, 4.0) * trend(random, length) + seasons(random, length, found)
    if found.year is not None and random.random() < 0.3:
        out += holidays(random, length, found.year)
    if random.random() < 0.2:
        out += shifts(random, length)
    return np.asarray(out + log_uniform(random, 0.03, 1.5) * noise(random, length))


def sarima(random: np.random.Generator, length: int) -> Array:
    """Return a seasonal ARIMA process (Box and Jenkins): local levels, exponential smoothing and airline models among them."""
    periods = [round(p) for p in calendar(random).periods if p <= length / 2]
    period = int(random.choice(periods)) if periods else 1
    begin = 6 * period + 100
    ahead, behind = np.array([1.0]), np.array([1.0])
    if random.random() < 0.5:
        behind = np.convolve(behind, [1.0, -random.uniform(-0.5, 0.95)])
    if random.random() < 0.6:
        behind = np.convolve(behind, [1.0, -1.0])
        ahead = np.convolve(ahead, [1.0, -random.uniform(0.0, 0.95)])
    if period > 1 and random.random() < 0.8:
        behind = np.convolve(behind, [1.0, *[0.0] * (period - 1), -random.choice([1.0, random.uniform(0.3, 0.95)])])
        ahead = np.convolve(ahead, [1.0, *[0.0] * (period - 1), -random.uniform(0.0, 0.95)])
    values = lfilter(ahead, behind, random.standard_normal(length + begin))[begin:]
    if random.random() < 0.3:
        return np.asarray(np.exp(np.clip(standardized(values), -LIMIT, LIMIT) * log_uniform(random, 0.05, 0.7)))
    return np.asarray(values)


def price(random: np.random.Generator, length: int) -> Array:
    """Return a geometric random walk whose volatility is itself a process (Taylor 1986)."""
    wander = lfilter([1.0], [1.0, -0.97], random.standard_normal(length)) * random.uniform(0.0, 0.15)
    steps = random.standard_normal(length) * np.exp(wander) * log_uniform(random, 0.002, 0.03)
    return np.asarray(np.exp(np.clip(np.cumsum(steps + random.normal(0.0, 0.0005)), -LIMIT, LIMIT)))


def counts(random: np.random.Generator, length: int) -> Array:
    """Return Poisson or negative binomial counts whose rate has trend and seasons."""
    rate = _rate(random, length) * log_uniform(random, 0.3, 200.0)
    if random.random() < 0.5:
        spread = log_uniform(random, 0.5, 20.0)
        rate = rate * random.gamma(spread, 1.0 / spread, length)
    return random.poisson(rate).astype(float)


def intermittent(random: np.random.Generator, length: int) -> Array:
    """Return demand that is zero most of the time: whether and how much are drawn apart, as Croston 1972 has it."""
    chance = np.minimum(_rate(random, length) * random.uniform(0.03, 0.5), 0.95)
    if random.random() < 0.5:
        sizes = 1.0 + random.poisson(log_uniform(random, 0.2, 20.0), length)
    else:
        sizes = np.ceil(np.exp(random.normal(1.0, random.uniform(0.2, 1.0), length)))
    return np.where(random.random(length) < chance, sizes, 0.0)


def _rate(random: np.random.Generator, length: int) -> Array:
    """Return positive values around 1 with trend and seasons."""
    values = standardized(0.5 * trend(random, length) + seasons(random, length, calendar(random)))
    return np.asarray(np.exp(np.clip(values, -3.0, 3.0) * random.uniform(0.0, 0.8)))


def gaussian_process(random: np.random.Generator, length: int) -> Array:
    """Return KernelSynth's series."""
    return kernel_synth(random, length).astype(float)


Kind = Callable[[np.random.Generator, int], Array]
# How often each kind is drawn.
KINDS: tuple[tuple[Kind, float], ...] = (
    (structural, 0.5),
    (sarima, 0.2),
    (gaussian_process, 0.1),
    (counts, 0.09),
    (intermittent, 0.06),
    (price, 0.05),
)


def series(random: np.random.Generator, length: int) -> Array:
    """Return one series (length,) float64 of a random kind, level and scale; some have gaps or are rounded."""
    weights = np.array([weight for _, weight in KINDS])
    kind = KINDS[int(random.choice(len(KINDS), p=weights / weights.sum()))][0]
    values = kind(random, length)
    if kind not in (counts, intermittent):
        if random.random() < 0.1:
            values = -values
        spread = float(values.std()) or 1.0
        if random.random() < 0.15:
            values = np.round(values / spread * log_uniform(random, 2.0, 50.0))
        elif random.random() < 0.5:
            values = values + spread * random.normal(0.0, 10.0)
        values = values * log_uniform(random, 1e-2, 1e4)
    if random.random() < 0.1:
        values = _with_gaps(random, values)
    return values


def _with_gaps(random: np.random.Generator, values: Array) -> Array:
    out = values.astype(float)
    if random.random() < 0.5:
        out[random.random(len(out)) < random.uniform(0.01, 0.2)] = np.nan
    else:
        begin = int(random.integers(len(out)))
        out[begin : begin + int(random.integers(2, max(3, len(out) // 10)))] = np.nan
    out[[0, -1]] = values[[0, -1]]  # a series begins and ends with a value
    return out
