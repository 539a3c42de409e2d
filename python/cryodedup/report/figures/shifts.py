"""Shifts of duplicates relative to their originals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.report.axes import Axis, Floats
from cryodedup.report.charts import ColourBar, chart
from cryodedup.report.figure import Figure
from cryodedup.report.layers import MAX_READINGS, Layer, Points, Rules
from cryodedup.report.raster import hex_of, shade

SHADES = 16
"""Number of colours of the points; more cannot be distinguished."""


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """Shifts of pairs.

    Attributes
    ----------
    shift_px
        float64 (pairs, 2): the shift (x, y) in pixels of the micrograph that superimposes the second on the first, y upwards.
    z
        float64 (pairs,): significances.
    frame_px
        Width and height of the largest micrograph.
    pixel_size_a
        Å; None: unknown, or not the same for all.
    names
        Of the two micrographs of each pair.
    """

    shift_px: Floats
    z: Floats
    frame_px: tuple[int, int]
    pixel_size_a: float | None
    names: Sequence[str]


def shifts(result: MicrographOutcome) -> Shifts | None:
    """The data from a result; None without pairs."""
    sizes = [size for pair in result.pairs if (size := result.sizes[pair.first]) is not None]
    if not sizes:
        return None
    known = {size for size in result.pixel_sizes_a if size is not None}
    return Shifts(
        shift_px=np.array([pair.shift_px for pair in result.pairs], float),
        z=np.array([pair.z for pair in result.pairs], float),
        frame_px=(max(width for width, _ in sizes), max(height for _, height in sizes)),
        pixel_size_a=known.pop() if len(known) == 1 else None,
        names=named_pairs(result),
    )


def named_pairs(result: MicrographOutcome) -> list[str]:
    """The names of the two micrographs of each pair, without directories; none of many pairs, which a page could not hold."""
    if len(result.pairs) > MAX_READINGS:
        return []
    names = [name.rpartition("/")[2] for name in result.names]
    return [f"{names[pair.first]} = {names[pair.second]}" for pair in result.pairs]


def draw(data: Shifts) -> Figure:
    """Draws points on a map, coloured by significance."""
    width, height = data.frame_px
    low, high = float(data.z.min()), float(data.z.max())
    zero = np.zeros(1)
    layers: list[Layer] = [Rules(at=zero, paint="grey", dash="", faint=True, horizontal=across) for across in (False, True)]
    of = np.rint((data.z - low) / max(high - low, 1e-9) * (SHADES - 1)).astype(int)
    for k in np.unique(of).tolist():
        x, y = data.shift_px[of == k].T
        names = [data.names[pair] for pair in np.flatnonzero(of == k).tolist()] if data.names else []
        layers.append(Points(x=x, y=y, size=5.0, colour=hex_of(shade(k / (SHADES - 1))), names=names))
    x_axis, y_axis = (Axis(label=f"shift in {name} (px)", low=-side, high=side) for name, side in (("x", width), ("y", height)))
    bar = ColourBar(label="significance z", low=low, high=high)
    drawing = chart(x_axis, y_axis, layers, "Shifts between the micrographs of each pair", equal=True, colour_bar=bar)
    return Figure("shifts", (drawing,), caption(data))


def caption(data: Shifts) -> str:
    """The caption, with the longest shift."""
    width, height = data.frame_px
    found = "Shifts that superimpose the second micrograph of each pair on the first, coloured by significance."
    found += f" A shift as long as an axis ({width:,} x {height:,} px) leaves no overlap."
    if data.pixel_size_a:
        longest = float(np.hypot(*data.shift_px.T).max())
        found += f" The longest shift is {longest:,.0f} px = {longest * data.pixel_size_a:,.0f} Å."
    return found
