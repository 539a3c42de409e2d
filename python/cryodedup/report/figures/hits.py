"""Pairs of exposures that show the same area, in the order in which they were taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.report.axes import Axis, Floats
from cryodedup.report.charts import chart
from cryodedup.report.figure import Figure
from cryodedup.report.figures.shifts import named_pairs
from cryodedup.report.layers import Layer, Line, Paint, Points, Rules

MAX_LINES = 120
"""Maximum number of borders of holes or stage positions; more would cover the pairs, and are not drawn."""
SAME_STAGE_M = 0.5e-6
"""Stage positions that differ by more, in metres, are different."""


@dataclass(frozen=True, kw_only=True)
class Hits:
    """Pairs of exposures that show the same area.

    Attributes
    ----------
    exposures
        Number of exposures; ``order``: the criterion by which they are ordered.
    earlier, later
        int64 (pairs,): their numbers in that order, from 1.
    contradicted
        bool (pairs,): whether the other shots of the same holes disagree.
    borders
        Borders between holes and between stage positions: for each word ("holes") float64 (m,), halfway between two numbers.
    windowed
        Whether only pairs of a window were compared.
    names
        Of the two micrographs of each pair.
    """

    exposures: int
    order: str
    earlier: NDArray[np.int64]
    later: NDArray[np.int64]
    contradicted: NDArray[np.bool_]
    borders: dict[str, Floats]
    windowed: bool
    names: Sequence[str]


def hits(result: MicrographOutcome) -> Hits | None:
    """The data from a result; None without pairs."""
    if not result.pairs:
        return None
    n = len(result.order)
    number_of = np.empty(n, np.int64)
    number_of[list(result.order)] = np.arange(n) + 1
    ends = np.sort([(number_of[pair.first], number_of[pair.second]) for pair in result.pairs], axis=1)
    in_order = [result.exposures.acquisitions[i] for i in result.order]
    return Hits(
        exposures=n,
        order=result.order_rule,
        earlier=ends[:, 0],
        later=ends[:, 1],
        contradicted=np.array([pair.shot_agreement == "contradicted" for pair in result.pairs]),
        borders=_borders({"stage positions": stages(in_order), "holes": [one.hole for one in in_order]}),
        windowed=result.params.by_window,
        names=named_pairs(result),
    )


def _borders(kinds: dict[str, Sequence[object]]) -> dict[str, Floats]:
    """The numbers where values change, for values that are known and do not change too often."""
    found = {}
    for word, values in kinds.items():
        changes = np.array([k + 0.5 for k in range(1, len(values)) if values[k] != values[k - 1]])
        if any(values) and 0 < len(changes) <= MAX_LINES:
            found[word] = changes
    return found


def stages(acquisitions: Sequence[Acquisition]) -> list[int]:
    """A number for each run of exposures at one stage position; all zeros if a position is unknown."""
    groups: list[int] = []
    last = None
    for one in acquisitions:
        if one.stage is None:
            return [0] * len(acquisitions)
        moved = last is None or max(abs(a - b) for a, b in zip(one.stage, last, strict=True)) > SAME_STAGE_M
        groups.append((groups[-1] if groups else 0) + moved)
        last = one.stage
    return groups


def draw(data: Hits) -> Figure:
    """Draws a matrix, with the first exposure in the upper left corner."""
    n, size = data.exposures, float(np.clip(350 / max(data.exposures, 1), 3.0, 8.0))
    layers: list[Layer] = []
    for borders in data.borders.values():
        layers += [Rules(at=borders, paint="grey", dash="", faint=True, horizontal=across) for across in (False, True)]
    diagonal = np.array([1.0, n])
    layers.append(Line(x=diagonal, y=diagonal, paint="grey"))
    kinds: tuple[tuple[bool, Paint, str], ...] = ((False, "first", "pair"), (True, "mark", "contradicted"))
    for wanted, paint, label in kinds:
        chosen = data.contradicted == wanted
        if chosen.any():
            x, y = data.earlier[chosen].astype(float), data.later[chosen].astype(float)
            names = [data.names[k] for k in np.flatnonzero(chosen).tolist()] if data.names else []
            layers.append(
                Points(x=x, y=y, paint=paint, size=size, square=True, names=names, label=label if data.contradicted.any() else "")
            )
    by = f"exposure, in order of {data.order}" if data.order else "exposure, in order"
    x_axis, y_axis = (
        Axis(label=label, low=low, high=high, integer=True) for label, low, high in ((by, 0.5, n + 0.5), ("exposure", n + 0.5, 0.5))
    )
    return Figure("hits", (chart(x_axis, y_axis, layers, "Matrix of exposures that show the same area", equal=True),), caption(data))


def caption(data: Hits) -> str:
    """The caption."""
    found = "Pairs of exposures that show the same area. Lines parallel to the diagonal are holes that were imaged a second time, in the"
    found += " same order."
    found += f" Thin lines: borders between {' and between '.join(data.borders)}." if data.borders else ""
    found += " Only pairs near the diagonal (within the window) were compared." if data.windowed else ""
    found += " Red: the other shots of the same holes contradict the pair." if data.contradicted.any() else ""
    return found
