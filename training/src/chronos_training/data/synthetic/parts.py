"""The parts that a synthetic series is composed of: trends, seasons, noise, events.

The kinds of parts follow the synthetic priors of Dooley et al. 2023, ForecastPFN (arXiv:2311.01933), and Moroshan et al. 2025,
TempoPFN (arXiv:2510.25502): trend, several seasons with drifting shapes, holidays, level shifts, regimes of variance.
Every function takes the generator of random numbers and returns float64 arrays (length,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

Array = np.ndarray
MOST_HARMONICS = 6
MOST_CHANGES = 5


@dataclass(frozen=True)
class Calendar:
    """Seasons of a frequency and the length of its year, in observations; `weight` is how often it is drawn."""

    name: str
    periods: tuple[float, ...]
    year: float | None
    weight: float


CALENDARS = (
    Calendar("10 minutes", (144.0,), None, 0.03),
    Calendar("15 minutes", (96.0,), None, 0.03),
    Calendar("30 minutes", (48.0, 336.0), None, 0.06),
    Calendar("hours", (24.0, 168.0), None, 0.17),
    Calendar("4 hours", (6.0, 42.0), None, 0.03),
    Calendar("days", (7.0, 30.44, 365.25), 365.25, 0.2),
    Calendar("business days", (5.0, 21.75, 261.0), 261.0, 0.07),
    Calendar("weeks", (52.18,), 52.18, 0.1),
    Calendar("months", (12.0,), 12.0, 0.16),
    Calendar("quarters", (4.0,), None, 0.07),
    Calendar("years", (), None, 0.04),
    Calendar("none known", (), None, 0.04),
)


def calendar(random: np.random.Generator) -> Calendar:
    """Draw a calendar; of `none known` with a season of any whole length from 2 to 60."""
    weights = np.array([one.weight for one in CALENDARS])
    found = CALENDARS[int(random.choice(len(CALENDARS), p=weights / weights.sum()))]
    if found.name == "none known":
        return Calendar(found.name, (float(random.integers(2, 61)),), None, found.weight)
    return found


def log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def standardized(values: Array) -> Array:
    """Return values with mean 0 and standard deviation 1; zeros for a constant."""
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 1e-12 else np.zeros_like(values)


def trend(random: np.random.Generator, length: int) -> Array:
    """Draw a trend of standard deviation 1, or zeros: linear, with changes, damped, saturating, or a random walk."""
    t = np.linspace(0.0, 1.0, length)
    kind = int(random.integers(8))
    if kind == 0:
        return np.zeros(length)
    if kind == 1:
        return standardized(t * random.choice([-1.0, 1.0]))
    if kind == 2:
        return standardized(_piecewise(random, t))
    if kind == 3:
        return standardized(random.choice([-1.0, 1.0]) * np.exp(-t * random.uniform(1.0, 6.0)))
    if kind == 4:
        middle, steepness = random.uniform(0.0, 1.2), random.uniform(3.0, 20.0)
        return standardized(random.choice([-1.0, 1.0]) / (1.0 + np.exp(-steepness * (t - middle))))
    if kind == 5:
        return standardized(np.cumsum(random.standard_normal(length)))
    if kind == 6:
        slope = lfilter([1.0], [1.0, -random.uniform(0.9, 0.995)], random.standard_normal(length))
        return standardized(np.cumsum(slope))
    return autoregressive(random, length, random.uniform(0.7, 0.99))


def _piecewise(random: np.random.Generator, t: Array) -> Array:
    places = np.sort(random.uniform(0.0, 1.0, int(random.integers(1, MOST_CHANGES + 1))))
    slopes = random.standard_normal(len(places))
    bends = np.maximum(t[:, None] - places[None, :], 0.0)
    return np.asarray(random.standard_normal() * t + bends @ slopes)


def autoregressive(random: np.random.Generator, length: int, memory: float) -> Array:
    """Return an AR(1) process of standard deviation 1 whose coefficient is `memory`."""
    begin = 200  # observations until the process has forgotten where it began
    return standardized(lfilter([1.0], [1.0, -memory], random.standard_normal(length + begin))[begin:])


def season(random: np.random.Generator, length: int, period: float) -> Array:
    """Draw a season of standard deviation 1 over the whole cycle: smooth, free, of spikes, or on and off; it may drift."""
    positions = (np.arange(length) + random.uniform(0.0, period)) / period
    cycles = int(np.ceil(positions[-1])) + 1
    fine = max(2, round(period))
    kind = int(random.integers(5))
    if kind <= 1:
        profile = _harmonics(random, fine)
    elif kind == 2:
        profile = random.standard_normal(fine)
    elif kind == 3:
        profile = np.where(
            random.random(fine) < random.uniform(min(1.0 / fine, 0.3), 0.3), random.gamma(2.0, 1.0, fine), 0.0
        )
    else:
        begin, share = random.random(), random.uniform(0.15, 0.85)
        profile = ((np.arange(fine) / fine + begin) % 1.0 < share) + 0.1 * random.standard_normal(fine)
    profiles = np.repeat(standardized(np.asarray(profile, float))[None, :], cycles, axis=0)
    if random.random() < 0.3:  # the shape drifts from cycle to cycle
        profiles += np.cumsum(log_uniform(random, 0.02, 0.4) * random.standard_normal((cycles, fine)), axis=0)
    cycle = positions.astype(int)
    values = profiles[cycle, np.minimum(((positions - cycle) * fine).astype(int), fine - 1)]
    if random.random() < 0.25:  # the amplitude grows, shrinks or wanders
        values = values * np.exp(0.5 * trend(random, length))
    return np.asarray(values)


def _harmonics(random: np.random.Generator, fine: int) -> Array:
    count = int(random.integers(1, max(2, min(MOST_HARMONICS, fine // 2) + 1)))
    k = np.arange(1, count + 1)
    sizes = random.standard_normal(count) / k ** random.uniform(0.0, 1.5)
    angles = 2 * np.pi * (np.arange(fine)[:, None] / fine * k + random.random(count))
    return np.asarray(np.cos(angles) @ sizes)


def seasons(random: np.random.Generator, length: int, found: Calendar) -> Array:
    """Return the sum of the seasons that are drawn of a calendar; days may differ over the week, as those of a shop do."""
    total = np.zeros(length)
    parts = [
        season(random, length, period)
        for i, period in enumerate(found.periods)
        if random.random() < (0.85 if i == 0 else 0.45) and period < 2 * length
    ]
    for part in parts:
        total += part * log_uniform(random, 0.2, 1.5)
    if len(parts) > 1 and random.random() < 0.4:
        total += parts[0] * parts[1] * random.uniform(0.2, 0.8)
    return total


def holidays(random: np.random.Generator, length: int, year: float) -> Array:
    """Return effects of some days at the same place of each year, most of one sign, over one to three observations."""
    out = np.zeros(length)
    sign = random.choice([-1.0, 1.0])
    for _ in range(1 + int(random.poisson(5))):
        first = random.uniform(0.0, year)
        size = sign * random.gamma(2.0, 1.0) * (1.0 if random.random() < 0.8 else -1.0)
        width = int(random.integers(1, 4))
        for begin in np.arange(first, length, year).astype(int):
            out[begin : begin + width] += size
    return out


def shifts(random: np.random.Generator, length: int) -> Array:
    """Return level shifts at random places, some of which are temporary."""
    out = np.zeros(length)
    for _ in range(1 + int(random.poisson(0.7))):
        begin = int(random.integers(length))
        end = length if random.random() < 0.7 else begin + int(random.integers(2, max(3, length // 4)))
        out[begin:end] += random.normal(0.0, 1.5)
    return out


def noise(random: np.random.Generator, length: int) -> Array:
    """Return noise of about standard deviation 1: normal, heavy-tailed or correlated; its variance may change, outliers occur."""
    kind = int(random.integers(4))
    if kind <= 1:
        out = random.standard_normal(length)
    elif kind == 2:
        out = standardized(random.standard_t(random.uniform(2.5, 8.0), length))
    else:
        out = autoregressive(random, length, random.uniform(0.1, 0.8))
    if random.random() < 0.15:  # regimes of variance
        begin = int(random.integers(length))
        out[begin:] *= log_uniform(random, 0.3, 3.0)
    if random.random() < 0.15:
        hit = random.random(length) < log_uniform(random, 0.002, 0.02)
        out[hit] += random.standard_normal(int(hit.sum())) * random.uniform(3.0, 8.0)
    return np.asarray(out)
