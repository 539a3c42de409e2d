"""A matrix of percentages as a drawing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cryodedup.report.axes import Floats
from cryodedup.report.svg import SIZE, Drawing, Svg, element, joined, text, text_width

SIDE, EDGE = 40.0, 8.0
"""Side of a square, and margin around the drawing, CSS pixels."""
TURN_DEG, COS, SIN = -35.0, 0.82, 0.58
"""Rotation of column names, so that they do not overlap, and about its cosine and sine."""
PALEST, DARKEST = 0.04, 0.6
"""Opacity of 0 and 100 %: the number in a square can be read on a white and on a dark page."""


def matrix(percent: Floats, names: Sequence[str], alt: str) -> Drawing:
    """Percentages, shape (n, n), rows from the top down, in squares; higher percentages are darker, and NaN is a dash."""
    n, widths = len(names), [text_width(name) for name in names]
    left = EDGE + max(max(width, COS * width - (k + 0.5) * SIDE) for k, width in enumerate(widths))
    cells = [_cell(left + j * SIDE, EDGE + i * SIDE, float(share)) for (i, j), share in np.ndenumerate(percent)]
    rows = [text(left - 6, EDGE + (i + 0.5) * SIDE + 0.35 * SIZE, name, anchor="end") for i, name in enumerate(names)]
    bottom = EDGE + n * SIDE + SIZE
    columns = [text(left + (j + 0.5) * SIDE + 4, bottom, name, anchor="end", turned=TURN_DEG) for j, name in enumerate(names)]
    return Drawing(left + n * SIDE + EDGE, bottom + SIN * max(widths) + EDGE, alt, joined([*cells, *rows, *columns]))


def _cell(x: float, y: float, percent: float) -> Svg:
    known = np.isfinite(percent)
    opacity = PALEST + (DARKEST - PALEST) * (percent / 100 if known else 0.0)
    square = element("rect", x=x, y=y, width=SIDE - 1, height=SIDE - 1, class_="cell fill-first", fill_opacity=opacity)
    return joined([square, text(x + SIDE / 2, y + SIDE / 2 + 0.35 * SIZE, f"{percent:.0f}" if known else "–", "letters strong", "middle")])
