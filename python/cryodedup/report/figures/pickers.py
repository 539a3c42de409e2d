"""The agreement of each pair of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.result import ParticleOutcome
from cryodedup.report.axes import Floats
from cryodedup.report.figure import Figure, shortened, without_directories
from cryodedup.report.svg import SIZE, Drawing, Svg, element, joined, text, text_width

MAX_SHOWN = 12
"""Maximum number of inputs drawn, the first ones: a larger matrix would be hard to read."""


@dataclass(frozen=True, kw_only=True)
class Pickers:
    """Overlaps of inputs.

    Attributes
    ----------
    names
        Names of the inputs, at most ``MAX_SHOWN``.
    overlaps
        int64 (n, n): particles of the input in the row that have another particle, of the input in the column, within the separation.
    particles, micrographs
        int64 (n, n): particles of the input in the row that lie in micrographs that both inputs have, and the number of these micrographs.
    """

    names: tuple[str, ...]
    overlaps: NDArray[np.int64]
    particles: NDArray[np.int64]
    micrographs: NDArray[np.int64]

    @property
    def percent(self) -> Floats:
        """The overlaps in per cent of the input in the row, float64 (n, n); NaN where two inputs share no micrograph."""
        return np.where(self.micrographs > 0, 100.0 * self.overlaps / np.maximum(self.particles, 1), np.nan)


def pickers(result: ParticleOutcome) -> Pickers | None:
    """The data from a result; None for one input, or for more than are compared."""
    analysis, n = result.analysis, min(len(result.sources), MAX_SHOWN)
    if analysis.overlaps is None or analysis.in_shared is None:
        return None
    return Pickers(
        names=names_of_inputs(result)[:n],
        overlaps=analysis.overlaps[:n, :n].astype(np.int64),
        particles=analysis.in_shared[:n, :n],
        micrographs=result.joined.shared_micrographs[:n, :n],
    )


def names_of_inputs(result: ParticleOutcome) -> tuple[str, ...]:
    """The names of the input files, without directories if they are unique."""
    labels = [source.picks.label for source in result.sources]
    short = [Path(label).name or label for label in labels]
    return tuple(label if short.count(name) > 1 else name for name, label in zip(short, labels, strict=True))


def draw(data: Pickers) -> Figure:
    """Draws a matrix of percentages."""
    alt = "Matrix: the share of each input's particles that have a particle of another input nearby"
    of_two = data.micrographs[np.triu_indices(len(data.names), 1)]
    low, high = int(of_two.min()), int(of_two.max())
    shared = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    caption = (
        "Percentage of the particles of the input in the row that have a particle of the input in the column within the minimum"
        f" separation. Only the micrographs that both inputs have are counted ({shared}). On the diagonal, the other particle is of the"
        " same input."
    )
    return Figure("pickers", (matrix(data.percent, shortened(without_directories(data.names)), alt),), caption)


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
