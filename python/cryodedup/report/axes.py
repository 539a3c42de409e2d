"""Axes: positions of values, ticks, and the room that their labels take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryodedup.report.svg import SIZE, Svg, element, joined, number, text, text_width

Floats = NDArray[np.float64]

NICE = (1.0, 2.0, 5.0, 10.0)
TICK, PAD = 4.0, 5.0
BEYOND = 0.5
"""Values off an axis are drawn at most this many axis lengths beyond it: viewers clip a path to 10^300 in different ways."""
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis; it runs backwards if ``low`` is above ``high``. ``ticks``: None: at round numbers."""

    label: str
    low: float
    high: float
    log: bool = False
    grid: bool = False
    integer: bool = False
    ticks: Sequence[float] | None = None

    def share(self, values: ArrayLike) -> Floats:
        """Positions of values, from 0 at ``low`` to 1 at ``high``; on a logarithmic axis values of 0 and less lie below it."""
        found = np.asarray(values, np.float64)
        low, high = self.low, self.high
        if self.log:
            found = np.log10(np.maximum(found, 1e-3 * min(low, high)))
            low, high = math.log10(low), math.log10(high)
        return np.clip((found - low) / ((high - low) or 1.0), -BEYOND, 1 + BEYOND)

    def nice_ticks(self, most: int) -> list[float]:
        """At most about ``most`` ticks."""
        low, high = sorted((self.low, self.high))
        if self.ticks is not None:
            inside = [tick for tick in self.ticks if low <= tick <= high]
            return inside[:: max(1, -(-len(inside) // max(most, 1)))]
        return log_ticks(low, high, most) if self.log else linear_ticks(low, high, most, integer=self.integer)


@dataclass(frozen=True)
class Frame:
    """The rectangle of a drawing that contains the data."""

    x: Axis
    y: Axis
    left: float
    top: float
    width: float
    height: float

    def across(self, values: ArrayLike) -> Floats:
        """Distances of x values from the left side, CSS pixels."""
        return np.asarray(self.width * self.x.share(values))

    def down(self, values: ArrayLike) -> Floats:
        """Distances of y values from the top, CSS pixels."""
        return np.asarray(self.height * (1 - self.y.share(values)))


def linear_ticks(low: float, high: float, most: int, *, integer: bool = False) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of 10."""
    if not high > low:
        return [low]
    raw = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(factor for factor in NICE if factor * power >= raw * (1 - 1e-9))
    step = max(step, 1.0) if integer else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of 10, or every k-th of them; if there are fewer than three, also 2 and 5 times these."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    powers = range(first, last + 1)
    if len(powers) >= 3:
        return [10.0**k for k in powers][:: max(1, -(-len(powers) // max(most, 1)))]
    between = [factor * 10.0**k for k in range(first - 1, last + 1) for factor in NICE[:-1]]
    found = [tick for tick in between if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
    return found if len(found) > 1 else linear_ticks(low, high, most)


def tick_texts(ticks: Sequence[float], *, log: bool = False) -> list[str]:
    """The labels of ticks: 2,000, 0.05, 10⁶."""
    if log and ticks and max(ticks) / min(ticks) >= 1e4 and max(ticks) >= 1e5:
        return [_power(tick) for tick in ticks]
    step = min(np.diff(ticks)) if len(ticks) > 1 and not log else 0.0
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else None
    if digits is None or digits > 6 or max(map(abs, ticks)) >= 1e9:
        return [f"{tick:,.0f}" if tick == round(tick) and abs(tick) < 1e9 else f"{tick:.4g}" for tick in ticks]
    return [f"{tick + 0.0:,.{digits}f}" for tick in ticks]


def _power(tick: float) -> str:
    exponent = round(math.log10(tick))
    return f"{tick:,g}" if 0 <= exponent < 4 else f"10{str(exponent).translate(SUPERSCRIPT)}"


def ticks_across(axis: Axis, width: float) -> tuple[list[float], list[str]]:
    """Ticks of a horizontal axis and their labels, as many as fit side by side."""
    for most in range(8, 1, -1):
        ticks = axis.nice_ticks(most)
        texts = tick_texts(ticks, log=axis.log)
        offsets = width * axis.share(ticks)
        needed = [0.5 * (text_width(a) + text_width(b)) + 8 for a, b in pairwise(texts)]
        if all(abs(gap) >= room for gap, room in zip(np.diff(offsets), needed, strict=True)):
            return ticks, texts
    return ticks[:1], texts[:1]


def ticks_up(axis: Axis, height: float) -> tuple[list[float], list[str]]:
    """Ticks of a vertical axis and their labels."""
    ticks = axis.nice_ticks(max(2, int(height / 34)))
    return ticks, tick_texts(ticks, log=axis.log)


def margins(y: Axis, heights: Sequence[float]) -> tuple[float, float]:
    """Room for labels to the left of a frame of any of these heights, and below it."""
    widest = max((text_width(words) for height in heights for words in ticks_up(y, height)[1]), default=0.0)
    return widest + TICK + PAD + (SIZE + PAD if y.label else 0), 2 * (SIZE + PAD) + TICK


def draw_axes(frame: Frame) -> Svg:
    """Lines, ticks and labels of both axes; the upper left corner of the frame is at its ``left`` and ``top``."""
    return joined([draw_across(frame), draw_up(frame)])


def draw_across(frame: Frame) -> Svg:
    """The horizontal axis."""
    ticks, texts = ticks_across(frame.x, frame.width)
    bottom = frame.top + frame.height
    offsets = frame.left + frame.across(ticks)
    parts = [_path("grid", [f"M{number(x)} {number(frame.top)}v{number(frame.height)}" for x in offsets])] if frame.x.grid else []
    parts.append(_path("axis", [f"M{number(frame.left)} {number(bottom)}h{number(frame.width)}"]))
    parts.append(_path("axis", [f"M{number(x)} {number(bottom)}v{number(TICK)}" for x in offsets]))
    parts += [text(x, bottom + TICK + SIZE, words, anchor="middle") for x, words in zip(offsets, texts, strict=True)]
    label = text(frame.left + frame.width / 2, bottom + TICK + 2 * SIZE + PAD, frame.x.label, anchor="middle")
    return joined([*parts, label])


def draw_up(frame: Frame) -> Svg:
    """The vertical axis."""
    ticks, texts = ticks_up(frame.y, frame.height)
    offsets = frame.top + frame.down(ticks)
    parts = [_path("grid", [f"M{number(frame.left)} {number(y)}h{number(frame.width)}" for y in offsets])] if frame.y.grid else []
    parts.append(_path("axis", [f"M{number(frame.left)} {number(frame.top)}v{number(frame.height)}"]))
    parts.append(_path("axis", [f"M{number(frame.left)} {number(y)}h{number(-TICK)}" for y in offsets]))
    parts += [text(frame.left - TICK - 3, y + 0.35 * SIZE, words, anchor="end") for y, words in zip(offsets, texts, strict=True)]
    widest = max((text_width(words) for words in texts), default=0.0)
    x, y = frame.left - TICK - PAD - widest - 0.35 * SIZE, frame.top + frame.height / 2
    return joined([*parts, text(x, y, frame.y.label, anchor="middle", turned=-90)]) if frame.y.label else joined(parts)


def _path(style: str, lines: Sequence[str]) -> Svg:
    return element("path", d="".join(lines), class_=style) if lines else Svg("")
