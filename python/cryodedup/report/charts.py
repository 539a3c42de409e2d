"""A chart with its axes, legend and colour bar."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cryodedup.report.axes import Axis, Frame, draw_axes, margins, tick_texts
from cryodedup.report.layers import MAX_READINGS, SWATCH, Layer
from cryodedup.report.raster import hex_of, shade
from cryodedup.report.svg import SIZE, WIDTH, Drawing, Svg, element, joined, number, text, text_width

HEIGHT = 220.0
"""Height of a frame, CSS pixels."""
TALLEST, THINNEST = 420.0, 48.0
"""Largest height, and smallest width and height, of a frame with axes of one scale."""
RIGHT, TOP = 24.0, 8.0
LEGEND_ROW = SIZE + 6
BAR_WIDTH, BAR_SHADES = 12.0, 32
"""Width of the colour bar, CSS pixels, and its number of colours."""


@dataclass(frozen=True, kw_only=True)
class ColourBar:
    """The scale of colours, from ``low`` to ``high``."""

    label: str
    low: float
    high: float
    log: bool = False

    def axis(self) -> Axis:
        """The scale as an axis."""
        return Axis(label=self.label, low=self.low, high=self.high, log=self.log)


def chart(
    x: Axis,
    y: Axis,
    layers: Sequence[Layer],
    alt: str,
    *,
    equal: bool = False,
    title: str = "",
    colour_bar: ColourBar | None = None,
    width: float = WIDTH,
) -> Drawing:
    """Draws layers within axes, with a title and a legend above. ``equal``: both axes have the same scale, as on a map."""
    left, bottom = margins(y, [HEIGHT, TALLEST] if equal else [HEIGHT])
    heading = text(left, SIZE, title, "letters strong") if title else Svg("")
    legend, top = _legend([layer for layer in layers if layer.label], width, heading)
    bar = _bar_room(colour_bar)
    across = width - left - RIGHT - bar
    height = HEIGHT
    if equal:
        across, height = _to_scale(x, y, across)
    frame = Frame(x, y, left, top, across, height)
    # An inner svg clips at its borders, without the id that a clipping path would need.
    inner = element("svg", *(layer.draw(frame) for layer in layers), x=left, y=top, width=across, height=height, **_readings(x, y, layers))
    parts = [legend, inner, draw_axes(frame)]
    if colour_bar is not None:
        parts.append(_colour_bar(colour_bar, left + across + RIGHT, top, height))
    return Drawing(width, top + height + bottom, alt, joined(parts))


def _readings(x: Axis, y: Axis, layers: Sequence[Layer]) -> dict[str, str]:
    """Returns what the page's script shows under the mouse: axes, and values of each layer."""
    known = [found for layer in layers if (read := getattr(layer, "readings", None)) is not None and (found := read()) is not None]
    # JSON has no infinite numbers, and none that are no numbers.
    shown = [found.plain() for found in known if 0 < len(found.x) <= MAX_READINGS and np.isfinite([*found.x, *found.y]).all()]
    if not shown:
        return {}
    axes = {name: [axis.low, axis.high, axis.log, axis.label] for name, axis in (("x", x), ("y", y))}
    return {"data_readings": json.dumps({**axes, "layers": shown}, separators=(",", ":"))}


def _to_scale(x: Axis, y: Axis, width: float) -> tuple[float, float]:
    """Width and height of a frame whose axes have the same scale, unless it would be too thin to read."""
    ratio = abs(y.high - y.low) / max(abs(x.high - x.low), 1e-300)
    height = min(TALLEST, width * ratio)
    return max(THINNEST, min(width, height / ratio)) if ratio else width, max(THINNEST, height)


def _legend(layers: Sequence[Layer], width: float, title: Svg) -> tuple[Svg, float]:
    """Title and legend in rows, and their height."""
    parts, x, row = [title] if title else [], 4.0, int(bool(title))
    for layer in layers:
        room = SWATCH + 5 + text_width(layer.label) + 14
        if x > 4.0 and x + room > width:
            x, row = 4.0, row + 1
        transform = f"translate({number(x)} {number(row * LEGEND_ROW + 2)})"
        parts.append(element("g", layer.swatch(), text(SWATCH + 5, SIZE - 2, layer.label), transform=transform))
        x += room
    rows = row + bool(layers)
    return joined(parts), rows * LEGEND_ROW + TOP


def _bar_room(bar: ColourBar | None) -> float:
    if bar is None:
        return 0.0
    texts = tick_texts(_bar_ticks(bar), log=bar.log)
    return BAR_WIDTH + 6 + max(map(text_width, texts)) + SIZE + 4


def _bar_ticks(bar: ColourBar) -> list[float]:
    return bar.axis().nice_ticks(4) if bar.high > bar.low else [bar.low]


def _colour_bar(bar: ColourBar, x: float, top: float, height: float) -> Svg:
    """The colour bar to the right of a frame."""
    step = height / BAR_SHADES
    colours = map(hex_of, shade(np.linspace(1, 0, BAR_SHADES)))
    parts = [element("rect", x=x, y=top + k * step, width=BAR_WIDTH, height=step + 0.3, fill=colour) for k, colour in enumerate(colours)]
    ticks = _bar_ticks(bar)
    texts = tick_texts(ticks, log=bar.log)
    for share, words in zip(bar.axis().share(ticks).tolist(), texts, strict=True):
        parts.append(text(x + BAR_WIDTH + 5, top + height * (1 - share) + 0.35 * SIZE, words))
    beside = x + BAR_WIDTH + 8 + max(map(text_width, texts)) + 0.8 * SIZE
    return joined([*parts, text(beside, top + height / 2, bar.label, anchor="middle", turned=-90)])
