"""A micrograph with its particles: on the left those kept, on the right those rejected."""

from __future__ import annotations

import numpy as np

from cryodedup.particles.inputs.picks import Floats
from cryodedup.report.axes import Axis
from cryodedup.report.charts import chart
from cryodedup.report.figure import Figure
from cryodedup.report.figures.examples import Example
from cryodedup.report.layers import MAX_CIRCLES, Arrows, Circles, Layer, Paint, Picture
from cryodedup.report.raster import jpeg
from cryodedup.report.svg import Drawing

ARROW, MAX_TIMES = 0.025, 20
"""Arrows are enlarged until the median one has this share of the frame, at most ``MAX_TIMES`` times."""
RADIUS, SMALL_RADIUS, CROWDED = 4.2, 2.0, 800
"""Radius of the circles, CSS pixels; the smaller one if there are at least ``CROWDED`` particles."""


def draw(example: Example, words: tuple[str, str]) -> Figure:
    """Draws both panels; ``words``: how the kept particles and the others are called."""
    times = _enlarged(example)
    address = None if example.image.pixels is None else jpeg(np.ascontiguousarray(example.image.pixels[::-1]))
    kinds: tuple[tuple[bool, Paint], ...] = ((True, "first"), (False, "mark"))
    panels = tuple(_panel(example, wanted, word, paint, times, address) for (wanted, paint), word in zip(kinds, words, strict=True))
    return Figure(f"example_{example.word}", panels, caption(example, words[1], times))


def _panel(example: Example, wanted: bool, word: str, paint: Paint, times: int, address: str | None) -> Drawing:
    left, right, bottom, top = example.extent_a
    chosen = example.kept == wanted
    points = example.centres_a[chosen]
    radius = RADIUS if len(example.kept) < CROWDED else SMALL_RADIUS
    layers: list[Layer] = [] if address is None else [Picture(address=address, extent=example.extent_a)]
    layers.append(Circles(x=points[:, 0], y=points[:, 1], paint=paint, radius=radius))
    if example.picked_a is not None and len(points) <= MAX_CIRCLES:
        layers.append(_arrows(points, example.picked_a[chosen], times))
    outside = int(((points < (left, bottom)) | (points > (right, top))).any(axis=1).sum())
    title = f"{len(points):,} {word}" + (f", {outside:,} of them outside the frame" if outside else "")
    alt = f"Micrograph with its {word} particles"
    return chart(Axis(label="x (Å)", low=left, high=right), Axis(label="y (Å)", low=bottom, high=top), layers, alt, equal=True, title=title)


def _arrows(points: Floats, picked: Floats, times: int) -> Arrows:
    start = points - times * (points - picked)
    return Arrows(x=start[:, 0], y=start[:, 1], to_x=points[:, 0], to_y=points[:, 1], paint="second")


def _drift_a(example: Example) -> float:
    """The length of the median shift."""
    return 0.0 if example.picked_a is None else float(np.median(np.hypot(*(example.centres_a - example.picked_a).T)))


def _enlarged(example: Example) -> int:
    """Factor by which the arrows are longer than the shifts."""
    left, right, bottom, top = example.extent_a
    return int(np.clip(ARROW * max(right - left, top - bottom) / max(_drift_a(example), 1e-6), 1, MAX_TIMES))


def caption(example: Example, rejected: str, times: int) -> str:
    """Which micrograph is shown, and what the arrows mean."""
    chosen = {
        "worst": f"largest share of {rejected}",
        "median": f"in the middle by share of {rejected}",
        "random": "taken at random",
    }
    found = f"The {example.word} micrograph ({chosen[example.word]}): {example.name}"
    found += f" ({example.image.missing})." if example.image.missing else "."
    found += " Seen along z." if example.seen_along_z else ""
    if example.picked_a is not None:
        long = "as long as the shifts" if times == 1 else f"{times} times as long as the shifts"
        found += f" Arrows point from picked to shifted positions, {long} (median {_drift_a(example):.1f} Å)."
    return found
