"""How many particles each separation keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.analysis.advice import Advice
from cryodedup.report.axes import Axis, Floats
from cryodedup.report.charts import chart
from cryodedup.report.figure import Figure
from cryodedup.report.figures.separations import Separations
from cryodedup.report.layers import Line


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Particles that each separation keeps.

    Attributes
    ----------
    separations_a, kept
        float64 and int64 (m,): minimum separations in Å, and how many particles each would keep; of so many ``particles``.
    separations
        The separation that was used, and what is suggested.
    sampled
        The numbers are estimates from so many particles; 0: from all.
    """

    separations_a: Floats
    kept: NDArray[np.int64]
    particles: int
    separations: Separations
    sampled: int

    @property
    def percent(self) -> Floats:
        """The same as a share, in per cent, float64 (m,)."""
        return np.asarray(100.0 * self.kept / max(1, self.particles))


def kept(advice: Advice, separation_a: float, particles: int) -> Kept:
    """From what the distances suggest; ``particles``: how many there are."""
    return Kept(
        separations_a=advice.separations_a,
        kept=advice.kept,
        particles=particles,
        separations=Separations.of(advice.suggestion, separation_a),
        sampled=advice.sampled,
    )


def draw(data: Kept) -> Figure:
    """As a line from 0 to 100 %."""
    layers = [Line(x=data.separations_a, y=data.percent, paint="first", marked=True), *data.separations.rules()]
    marks = [data.separations.used_a, data.separations.suggested_a or 0.0, data.separations.neighbours_a or 0.0]
    x = Axis(label="minimum separation (Å)", low=0.0, high=1.02 * max(float(data.separations_a.max(initial=0.0)), *marks, 1e-9), grid=True)
    y = Axis(label="particles kept (%)", low=0.0, high=104.0, grid=True)
    return Figure("kept", (chart(x, y, layers, "Share of the particles that each minimum separation would keep"),), caption(data))


def caption(data: Kept) -> str:
    """What is seen."""
    found = "Share of the particles that each minimum separation would keep."
    marked = {"the suggested separation": data.separations.suggested_a, "the usual distance of neighbours": data.separations.neighbours_a}
    dotted = [word for word, value in marked.items() if value is not None]
    found += f" Dotted: {' and '.join(dotted)}." if dotted else ""
    return found + (f" Estimated from {data.sampled:,} particles." if data.sampled else "")
