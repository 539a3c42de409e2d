"""A micrograph with its particles: where duplicates are, enlarged, and the whole micrograph beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.inputs.picks import Floats
from cryodedup.report.axes import Axis, Frame
from cryodedup.report.charts import chart
from cryodedup.report.figure import Figure, shortened, without_directories
from cryodedup.report.figures.examples import Example, Extent, Spot, all_spots, spots
from cryodedup.report.layers import (
    MAX_CIRCLES,
    Arrows,
    Circles,
    Crosses,
    Layer,
    Paint,
    Picture,
    Strokes,
    Words,
    shared_picture,
)
from cryodedup.report.raster import jpeg
from cryodedup.report.svg import SIZE, WIDTH, Drawing, Svg, element, joined, text

ARROW, MAX_TIMES = 0.025, 20
"""Arrows are enlarged until the median one has this share of the frame, at most ``MAX_TIMES`` times."""
RADIUS, SMALL_RADIUS, CROWDED = 4.2, 2.0, 800
"""Radius of the circles in the whole micrograph, CSS pixels; the smaller one if there are at least ``CROWDED`` particles."""
PAINTS: tuple[Paint, ...] = ("first", "second", "third", "fourth", "fifth", "grey")
"""Colours of the inputs; from the sixth on all have the last one. Enlarged circles have the number of the input beside them, too."""
ZOOM_PX, ROW = 440.0, SIZE + 8
"""Side of the enlarged part, and height of the line above it, CSS pixels."""
QUALITY = 60
CLEAR, FAINT = 0.8, 0.4
"""Opacity of the image where it is enlarged, and in the whole micrograph, where the marks are close together."""
LEAST_SHIFT_A = 1e-3
"""Smaller differences are those of rounding."""


def draw(example: Example, words: tuple[str, str]) -> Figure:
    """Draws the enlarged places and the whole micrograph; ``words``: how the kept particles and the others are called."""
    times = _enlarged(example)
    name = f"example_{example.word}"
    address = None if example.image.pixels is None else jpeg(np.ascontiguousarray(example.image.pixels[::-1]), quality=QUALITY)
    found = spots(example, words[1])
    shared = f"#{name}-image" if address and found else address
    whole = _whole(example, words, found, times, shared)
    if not found:
        return Figure(name, (whole,), caption(example, words[1], times))
    zoom = _enlargements(example, found, Svg("") if address is None else shared_picture(f"{name}-image", address), shared)
    total = all_spots(example)
    more = f" Shown are the {len(found)} places with the most duplicates, out of about {total:,}." if total > len(found) else ""
    return Figure(name, (zoom, whole), caption(example, words[1], times) + more, tuple(spot.words for spot in found))


def _of_inputs(example: Example) -> list[tuple[str, Paint, NDArray[np.bool_]]]:
    """For each input with particles here its number and name, its colour, and its particles."""
    names = shortened(without_directories(example.inputs))
    several = len(names) > 1
    return [
        (f"{k + 1}: {name}" if several else "", PAINTS[min(k, len(PAINTS) - 1)], mine)
        for k, name in enumerate(names)
        if (mine := example.source_of == k).any()
    ]


def _whole(example: Example, words: tuple[str, str], found: Sequence[Spot], times: int, address: str | None) -> Drawing:
    """All particles: circles for those kept, crosses for those rejected."""
    left, right, bottom, top = example.extent_a
    points = example.centres_a
    radius = RADIUS if len(example.kept) < CROWDED else SMALL_RADIUS
    layers: list[Layer] = [] if address is None else [Picture(address=address, extent=example.extent_a, opacity=FAINT)]
    for label, paint, mine in _of_inputs(example):
        kept, others = points[mine & example.kept], points[mine & ~example.kept]
        layers.append(Circles(x=kept[:, 0], y=kept[:, 1], paint=paint, radius=radius, label=label))
        layers.append(Crosses(x=others[:, 0], y=others[:, 1], paint=paint if len(example.inputs) > 1 else "mark", size=1.4 * radius))
    if example.picked_a is not None and len(points) <= MAX_CIRCLES:
        layers.append(_arrows(points, example.picked_a, times))
    layers += [_Windows(found)] if found else []
    outside = int(((points < (left, bottom)) | (points > (right, top))).any(axis=1).sum())
    title = f"○ {int(example.kept.sum()):,} {words[0]}, × {int((~example.kept).sum()):,} {words[1]}"
    title += f", {outside:,} outside the frame" if outside else ""
    alt = f"The whole micrograph: {words[0]} particles as circles, {words[1]} as crosses"
    return chart(Axis(label="x (Å)", low=left, high=right), Axis(label="y (Å)", low=bottom, high=top), layers, alt, equal=True, title=title)


class _Windows:
    """The enlarged part, of each spot that of which is shown."""

    label = ""

    def __init__(self, found: Sequence[Spot]) -> None:
        self._spots = found

    def swatch(self) -> Svg:
        return Svg("")

    def draw(self, frame: Frame) -> Svg:
        return joined(_of_spot(k, self._rectangle(frame, spot.window_a)) for k, spot in enumerate(self._spots))

    def _rectangle(self, frame: Frame, window: Extent) -> Svg:
        (left, right), (bottom, top) = frame.across(window[:2]).tolist(), frame.down(window[2:]).tolist()
        return element("rect", x=left, y=top, width=right - left, height=bottom - top, class_="line stroke-mark")


def _of_spot(k: int, content: Svg) -> Svg:
    """Returns what is seen with one spot only; the page's buttons show one after the other."""
    hidden: dict[str, str] = {} if k == 0 else {"display": "none"}
    return element("g", content, data_spot=str(k), **hidden)


def _enlargements(example: Example, found: Sequence[Spot], shared: Svg, address: str | None) -> Drawing:
    """All spots at one place, one of them visible."""
    parts = [_of_spot(k, _enlarged_spot(example, spot, address, len(found), k)) for k, spot in enumerate(found)]
    alt = (
        "A part of the micrograph, enlarged: kept particles as circles, rejected ones as dashed circles joined to those that they duplicate"
    )
    return Drawing(WIDTH, ROW + ZOOM_PX + 4, alt, joined([shared, *parts]))


def _enlarged_spot(example: Example, spot: Spot, address: str | None, count: int, k: int) -> Svg:
    left, right, bottom, top = spot.window_a
    frame = Frame(Axis(label="", low=left, high=right), Axis(label="", low=bottom, high=top), 0, ROW, ZOOM_PX, ZOOM_PX)
    layers: list[Layer] = [] if address is None else [Picture(address=address, extent=example.extent_a, opacity=CLEAR)]
    radius = 0.5 * example.diameter_a * ZOOM_PX / (right - left)
    near = np.zeros(len(example.kept), bool)
    near[spot.shown] = True
    for label, paint, mine in _of_inputs(example):
        kept, others = (example.centres_a[mine & near & which] for which in (example.kept, ~example.kept))
        cross = paint if len(example.inputs) > 1 else "mark"
        layers.append(Circles(x=kept[:, 0], y=kept[:, 1], paint=paint, radius=radius))
        layers.append(Circles(x=others[:, 0], y=others[:, 1], paint=cross, radius=radius, dash="dashed"))
        layers.append(Crosses(x=others[:, 0], y=others[:, 1], paint=cross, size=9))
        if label:
            here = example.centres_a[mine & near]
            layers.append(Words(x=here[:, 0], y=here[:, 1], text=label.partition(":")[0], paint=paint, off=_beside(label, radius)))
    joined_to = spot.shown[example.duplicate_of[spot.shown] >= 0]
    starts, ends = example.centres_a[joined_to], example.centres_a[example.duplicate_of[joined_to]]
    layers.append(Strokes(x=starts[:, 0], y=starts[:, 1], to_x=ends[:, 0], to_y=ends[:, 1], paint="mark"))
    if example.picked_a is not None:
        layers.append(_arrows(example.centres_a[near], example.picked_a[near], 1))
    inner = element("svg", *(layer.draw(frame) for layer in layers), x=0, y=ROW, width=ZOOM_PX, height=ZOOM_PX)
    border = element("rect", x=0, y=ROW, width=ZOOM_PX, height=ZOOM_PX, class_="axis")
    return joined([text(0, SIZE, f"enlarged: place {k + 1} of {count}", "letters strong"), inner, border, _scale_bar(right - left)])


def _beside(label: str, radius: float) -> tuple[float, float]:
    """Where the number of an input stands: elsewhere round the circle for each, since circles of several lie on each other."""
    angle = np.pi / 4 * (int(label.partition(":")[0]) - 2)
    return float((radius + 8) * np.cos(angle)), float((radius + 8) * np.sin(angle))


def _scale_bar(width_a: float) -> Svg:
    """A bar of a round length, above the picture at its right end."""
    raw = 0.25 * width_a
    power = 10.0 ** np.floor(np.log10(raw))
    length_a = float(max(step for step in (power, 2 * power, 5 * power) if step <= raw * (1 + 1e-9)))
    length = length_a * ZOOM_PX / width_a
    bar = element("path", d=f"M{ZOOM_PX - length:.2f} {SIZE - 4:g}h{length:.2f}", class_="bar")
    return joined([bar, text(ZOOM_PX - length - 6, SIZE, f"{length_a:g} Å", anchor="end")])


def _arrows(points: Floats, picked: Floats, times: int) -> Arrows:
    start = points - times * (points - picked)
    return Arrows(x=start[:, 0], y=start[:, 1], to_x=points[:, 0], to_y=points[:, 1], paint="fifth")


def _drift_a(example: Example) -> float:
    """The length of the median shift, of the particles that have one: some inputs may have none."""
    if example.picked_a is None:
        return 0.0
    lengths = np.hypot(*(example.centres_a - example.picked_a).T)
    moved = lengths[lengths > LEAST_SHIFT_A]
    return float(np.median(moved)) if len(moved) else 0.0


def _enlarged(example: Example) -> int:
    """Factor by which the arrows in the whole micrograph are longer than the shifts."""
    left, right, bottom, top = example.extent_a
    return int(np.clip(ARROW * max(right - left, top - bottom) / max(_drift_a(example), 1e-6), 1, MAX_TIMES))


def caption(example: Example, rejected: str, times: int) -> str:
    """Which micrograph is shown, and what circles and arrows mean."""
    others = "rejected particles" if rejected == "rejected" else rejected
    chosen = {
        "worst": f"the one with the largest share of {others}",
        "median": f"the one with the median share of {others}, of those that have any",
        "random": f"taken at random from those with {others}",
    }
    frame = "micrograph" if example.depths_a is None else "tomogram"
    found = f"The {example.word} {frame} ({chosen[example.word]}): {example.name}" if example.word in chosen else example.name
    found += f" ({example.image.missing})." if example.image.missing else "."
    found += " The view is along z." if example.depths_a is not None else ""
    if example.picked_a is not None:
        long = "" if times == 1 else f"; {times} x too long in the whole {frame}"
        found += f" Arrows: from pick to shifted centre{long}. Median shift: {_drift_a(example):.1f} Å."
    return found
