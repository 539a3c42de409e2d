"""The number of particles kept at each minimum separation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.analysis.advice import Advice
from cryodedup.particles.analysis.separation import Suggestion
from cryodedup.report.axes import Axis, Floats
from cryodedup.report.charts import chart
from cryodedup.report.figure import Figure
from cryodedup.report.layers import Layer, Line, Rules


@dataclass(frozen=True, kw_only=True)
class Separations:
    """The separation used, the one that the distances suggest, and the usual distance of neighbours, Å; None: unknown."""

    used_a: float
    suggested_a: float | None
    neighbours_a: float | None

    @classmethod
    def of(cls, suggestion: Suggestion, used_a: float) -> Separations:
        """The separations from a suggestion."""
        return cls(used_a=used_a, suggested_a=suggestion.suggested_a, neighbours_a=suggestion.usual_distance_a)

    def rules(self) -> list[Rules]:
        """Vertical lines with labels."""
        found = [Rules(at=np.array([self.used_a]), label=f"used: {self.used_a:g} Å")]
        if self.suggested_a is not None:
            at, label = np.array([self.suggested_a]), f"suggested: {self.suggested_a:.0f} Å"
            found.append(Rules(at=at, paint="second", dash="dotted", label=label))
        if self.neighbours_a is not None:
            at, label = np.array([self.neighbours_a]), f"neighbours: {self.neighbours_a:.0f} Å"
            found.append(Rules(at=at, paint="grey", dash="dotted", label=label))
        return found


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Numbers of particles kept at each minimum separation.

    Attributes
    ----------
    separations_a, kept
        float64 and int64 (m,): minimum separations in Å, and how many of all ``particles`` would be kept.
    separations
        The separation used, and the suggested one.
    sampled
        Number of particles from which the curve is estimated; 0: all were used.
    """

    separations_a: Floats
    kept: NDArray[np.int64]
    particles: int
    separations: Separations
    sampled: int

    @property
    def percent(self) -> Floats:
        """The kept share, in per cent, float64 (m,)."""
        return np.asarray(100.0 * self.kept / max(1, self.particles))


def kept(advice: Advice, separation_a: float, particles: int) -> Kept:
    """The data from an advice; ``particles``: the number of all particles."""
    return Kept(
        separations_a=advice.separations_a,
        kept=advice.kept,
        particles=particles,
        separations=Separations.of(advice.suggestion, separation_a),
        sampled=advice.sampled,
    )


def draw(data: Kept) -> Figure:
    """Draws a line from 0 to 100 %."""
    layers: list[Layer] = [Line(x=data.separations_a, y=data.percent, paint="first", marked=True), *data.separations.rules()]
    marks = [data.separations.used_a, data.separations.suggested_a or 0.0, data.separations.neighbours_a or 0.0]
    x = Axis(label="minimum separation (Å)", low=0.0, high=1.02 * max(float(data.separations_a.max(initial=0.0)), *marks, 1e-9), grid=True)
    y = Axis(label="particles kept (%)", low=0.0, high=104.0, grid=True)
    return Figure("kept", (chart(x, y, layers, "Share of the particles that each minimum separation would keep"),), caption(data))


def caption(data: Kept) -> str:
    """The caption."""
    found = "Share of the particles that each minimum separation would keep."
    marked = {"the suggested separation": data.separations.suggested_a, "the usual distance of neighbours": data.separations.neighbours_a}
    dotted = [word for word, value in marked.items() if value is not None]
    found += f" Dotted lines: {' and '.join(dotted)}." if dotted else ""
    return found + (f" Estimated from {data.sampled:,} particles." if data.sampled else "")
