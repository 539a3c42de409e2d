"""Nearest-neighbour distances, before and after deduplication."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.analysis.advice import Advice
from cryodedup.report.axes import Axis, Floats
from cryodedup.report.charts import chart
from cryodedup.report.figure import Figure
from cryodedup.report.figures.kept import Separations
from cryodedup.report.layers import Layer, Steps


@dataclass(frozen=True, kw_only=True)
class Distances:
    """Histograms of the nearest-neighbour distances.

    Attributes
    ----------
    edges_a
        float64 (bins + 1,): limits of the bins, Å.
    before, after
        int64 (bins,): numbers of all particles and of the kept ones with such a distance.
    after_word
        How the kept ones are called: "kept", or "best" if a repair keeps all.
    separations
        The separation used, and the suggested one.
    sampled
        Number of particles from which the counts are estimated; 0: all were counted.
    """

    edges_a: Floats
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    after_word: str
    separations: Separations
    sampled: int


def distances(advice: Advice, separation_a: float, after_word: str) -> Distances:
    """From what the distances suggest."""
    return Distances(
        edges_a=advice.edges_a,
        before=advice.before,
        after=advice.after,
        after_word=after_word,
        separations=Separations.of(advice.suggestion, separation_a),
        sampled=advice.sampled,
    )


def draw(data: Distances) -> Figure:
    """Draws two histograms on a logarithmic axis."""
    highest = max(10.0, 1.5 * float(max(data.before.max(initial=0), data.after.max(initial=0))))
    layers: list[Layer] = [
        Steps(edges=data.edges_a, counts=data.before, paint="first", filled=True, label="all"),
        Steps(edges=data.edges_a, counts=data.after, paint="second", label=data.after_word),
        *data.separations.rules(),
    ]
    x = Axis(label="distance to the nearest neighbour (Å)", low=0.0, high=float(data.edges_a[-1]))
    y = Axis(label="particles", low=0.8, high=highest, log=True)
    alt = f"Histogram of the distances to the nearest neighbour, of all particles and of the {data.after_word} ones"
    return Figure("distances", (chart(x, y, layers, alt),), caption(data))


def caption(data: Distances) -> str:
    """The caption."""
    found = f"Distance from each particle to its nearest neighbour, for all particles and for the {data.after_word} ones."
    if data.separations.suggested_a is not None:
        found += " Duplicates form the peak on the left, neighbours the peak on the right."
    if (data.after > data.before).any():
        found += (
            f" “{data.after_word}” can lie above “all”: when the duplicates of a particle are removed, its nearest neighbour is another"
            " particle, farther away."
        )
    return found + (f" Estimated from {data.sampled:,} particles." if data.sampled else "")
