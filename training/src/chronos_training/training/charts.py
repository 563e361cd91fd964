"""The report's charts as inline SVG: no scripts, no fonts, no files beside the report; sharp at every zoom."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources

import numpy as np
from markupsafe import Markup, escape

Array = np.ndarray

# Colours are classes of the page's style sheet; the geometry below is in SVG units (about a CSS pixel on a phone).
WIDTH, HEIGHT = 460, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 28


def style() -> Markup:
    """Return the style sheet of the reports, with the classes of these charts."""
    sheet = resources.files("chronos_training.training").joinpath("templates/report.css")
    return Markup(sheet.read_text(encoding="utf-8"))  # noqa: S704 - a file of this package


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round values inside [low, high]."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """Return a tick's text: 1,200 or 0.05 or 1.2M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (size if letter != 'k' else 1e3):g}{letter}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


@dataclass
class Canvas:
    """Maps data to the drawing area and collects SVG elements; `x` and `y` are (low, high) in data units."""

    x: tuple[float, float]
    y: tuple[float, float]
    parts: list[str] = field(default_factory=list)

    def px(self, value: float) -> float:
        """Return the horizontal position of a data value."""
        low, high = self.x
        return LEFT + (value - low) / ((high - low) or 1.0) * (WIDTH - LEFT - RIGHT)

    def py(self, value: float) -> float:
        """Return the vertical position of a data value."""
        low, high = self.y
        return HEIGHT - BOTTOM - (value - low) / ((high - low) or 1.0) * (HEIGHT - TOP - BOTTOM)

    def grid_y(self) -> None:
        """Draw horizontal grid lines with their values."""
        for value in ticks(*self.y, count=4):
            y = self.py(value)
            self.parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            self.text(LEFT - 6, y + 3.5, short(value), "tick end")

    def line(self, xs: Sequence[float], ys: Sequence[float], css: str) -> None:
        """Draw a line, broken where a value is missing."""
        path, pen = [], "M"
        for x, y in zip(xs, ys, strict=True):
            if not math.isfinite(y):
                pen = "M"
                continue
            path.append(f"{pen}{self.px(x):.1f} {self.py(y):.1f}")
            pen = "L"
        self.parts.append(f'<path class="{css}" d="{"".join(path)}"/>')

    def clip(self, title: str) -> None:
        """Begin a group that shows nothing outside of the drawing area; `title` tells this chart from others of a page."""
        name = f"plot-{zlib.crc32(title.encode()):08x}"
        area = f'x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"'
        self.parts.append(f'<clipPath id="{name}"><rect {area}/></clipPath><g clip-path="url(#{name})">')

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], css: str) -> None:
        """Fill between two lines."""
        there = [f"{self.px(x):.1f} {self.py(y):.1f}" for x, y in zip(xs, high, strict=True)]
        back = [f"{self.px(x):.1f} {self.py(y):.1f}" for x, y in zip(xs, low, strict=True)][::-1]
        self.parts.append(f'<path class="{css}" d="M{"L".join(there + back)}Z"/>')

    def dots(self, xs: Sequence[float], ys: Sequence[float], css: str, radius: float = 1.9) -> None:
        """Draw a dot for each observed value."""
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(y):
                self.parts.append(f'<circle class="{css}" cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="{radius}"/>')

    def text(self, x: float, y: float, content: str, css: str) -> None:
        """Write text at a position of the drawing."""
        self.parts.append(f'<text class="{css}" x="{x:.1f}" y="{y:.1f}">{escape(content)}</text>')

    def tick_x(self, value: float, label: str) -> None:
        """Write a label below the drawing area."""
        self.text(self.px(value), HEIGHT - 9, label, "tick mid")

    def svg(self, title: str) -> Markup:
        """Return the drawing; `title` is what a screen reader says."""
        head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        return Markup(head + "".join(self.parts) + "</svg>")  # noqa: S704 - every text above is escaped


def forecast_chart(
    history: Array, actual: Array, quantiles: Array, naive: Array, labels: list[str], *, count_like: bool, title: str
) -> Markup:
    """Return one series: what was known, the forecast's bands, the baseline, and what happened.

    `history` (n,), `actual` (h,), `quantiles` (levels, h), `naive` (h,), `labels` n + h dates. `count_like` keeps the axis
    at zero or above.
    """
    n, h = len(history), len(actual)
    shown = np.concatenate([history, actual, quantiles[0], quantiles[-1]])
    shown = shown[np.isfinite(shown)]
    low, high = float(shown.min()), float(shown.max())
    pad = 0.06 * (high - low or abs(high) or 1.0)
    canvas = Canvas((0, n + h - 1), (max(low - pad, 0.0) if count_like else low - pad, high + pad))
    canvas.grid_y()
    edge = canvas.px(n - 0.5)
    canvas.parts.append(
        f'<rect class="future" x="{edge:.1f}" y="{TOP}" width="{WIDTH - RIGHT - edge:.1f}" height="{HEIGHT - TOP - BOTTOM}"/>'
    )
    future = list(range(n, n + h))
    for depth in range(len(quantiles) // 2):
        canvas.band(future, quantiles[depth].tolist(), quantiles[-1 - depth].tolist(), "band")
    # The axis is made for what happened and for the model. A baseline far from both ends at the chart's edge.
    canvas.clip(title)
    canvas.line(future, naive.tolist(), "naive")
    canvas.parts.append("</g>")
    canvas.line(list(range(n)), history.tolist(), "history")
    canvas.line(future, quantiles[len(quantiles) // 2].tolist(), "median")
    canvas.line([n - 1, *future], [float(history[-1]), *actual.tolist()], "actual")
    canvas.dots(future, actual.tolist(), "actual-dot")
    for position in (0, n, n + h - 1):
        anchor = {0: "tick", n: "tick mid", n + h - 1: "tick end"}[position]
        canvas.text(canvas.px(position), HEIGHT - 9, labels[position], anchor)
    return canvas.svg(title)


def loss_chart(steps: list[int], losses: list[float], validation: Sequence[tuple[int, float]] = ()) -> Markup:
    """Return the loss curve: every logged point, their running mean as a line, and the validation losses (step, loss)."""
    if not steps:
        return Markup('<p class="muted">The checkpoints this run resumed from recorded no loss.</p>')
    reach = max(len(losses) // 12, 1)
    smooth = [float(np.mean(losses[max(i - reach, 0) : i + reach + 1])) for i in range(len(losses))]
    # The first steps from random weights would flatten the rest of the curve; they may leave the frame.
    tail = losses[min(len(losses) // 20, len(losses) - 1) :]
    checked = [loss for _, loss in validation]
    low, high = min([*tail, *checked]), max([*tail, *checked])
    pad = 0.05 * (high - low or 1.0)
    canvas = Canvas((0, steps[-1]), (low - pad, high + pad))
    canvas.grid_y()
    inside = [loss if loss <= high + pad else math.nan for loss in losses]
    canvas.dots(steps, inside, "raw-dot", 1.4)
    canvas.line(steps, [value if value <= high + pad else math.nan for value in smooth], "median")
    canvas.line([step for step, _ in validation], checked, "naive")
    canvas.dots([step for step, _ in validation], checked, "naive-dot", 2.4)
    for value in ticks(0, steps[-1], 5):
        canvas.tick_x(value, short(value))
    return canvas.svg("Training loss by step")


def line_chart(title: str, xs: list[int], lines: Sequence[tuple[str, Sequence[float | None]]]) -> Markup:
    """Return values over `xs`; `lines` are (style class, values), None where there is none."""
    shown = [value for _, values in lines for value in values if value is not None]
    if not xs or not shown:
        return Markup('<p class="muted">Nothing to draw.</p>')
    low, high = min(0.0, *shown), max(shown)
    canvas = Canvas((xs[0], xs[-1]), (low, high + 0.05 * ((high - low) or 1.0)))
    canvas.grid_y()
    for css, values in lines:
        canvas.line(xs, [math.nan if value is None else value for value in values], css)
    for value in ticks(xs[0], xs[-1], 5):
        canvas.tick_x(value, short(value))
    return canvas.svg(title)


def calibration_chart(levels: list[float], lines: list[tuple[str, list[float | None]]]) -> Markup:
    """Return coverage against level; `lines` are (style class, coverage). On the diagonal a forecast is calibrated."""
    canvas = Canvas((0.0, 1.0), (0.0, 1.0))
    canvas.grid_y()
    canvas.line([0, 1], [0, 1], "diagonal")
    for css, values in lines:
        ys = [math.nan if value is None else value for value in values]
        canvas.line(levels, ys, css)
        canvas.dots(levels, ys, css + "-dot", 2.6)
    for value in (0.1, 0.3, 0.5, 0.7, 0.9):
        canvas.tick_x(value, f"{value:.0%}")
    return canvas.svg("Share of observations below each quantile")
