"""The number of pairs of micrographs that reach each significance, and the number expected by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.compare import Compared
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.report.axes import Axis, Floats
from cryodedup.report.charts import chart
from cryodedup.report.figure import Figure
from cryodedup.report.layers import Layer, Line, Points, Rules

TICKS = (2, 3, 4, 5, 7, 10, 20, 50, 100, 200, 500)
FEW_POINTS = 20
"""If there are fewer pairs, each is also drawn as a point."""
EACH = 1000
"""This many of the most significant pairs are drawn one by one, the others more and more sparsely."""
LOWEST_Z = 3.0


@dataclass(frozen=True, kw_only=True)
class Significance:
    """Pairs of the largest class of micrographs (of one size) by significance.

    Attributes
    ----------
    found_z, found
        float64 and int64 (m,): values of z, descending, and how many pairs have at least each.
    mirrored_z, mirrored
        float64 (k,): the same for pairs with a mirrored micrograph, scaled to as many pairs as were compared.
    chance_z, chance
        float64 (200,): how many pairs are expected by chance, an upper estimate.
    min_z
        About the smallest z at which a pair is accepted by itself; None if ``threshold``, a correlation coefficient, decides.
    tested, accepted, supported
        Numbers of pairs: compared; accepted; accepted at a lower z since other shots of their holes agree.
    refused
        Whether some pairs with at least ``min_z`` are not accepted.
    """

    found_z: Floats
    found: NDArray[np.int64]
    mirrored_z: Floats
    mirrored: Floats
    chance_z: Floats
    chance: Floats
    min_z: float | None
    fdr: float
    threshold: float | None
    tested: int
    accepted: int
    supported: int
    refused: bool


def significance(result: MicrographOutcome) -> Significance | None:
    """The data from a result; None if no pair was compared closely."""
    of = max(result.compared, key=lambda one: len(one.members), default=None)
    if of is None or not len(of.observed):
        return None
    found_z, found = ranked(of.observed)
    mirrored_z = np.sort(of.null.mirrored.values)[::-1]
    start = of.null.mirrored.start
    chance_z = np.linspace(start, max(float(found_z[0]), start + 1), 200)
    min_z = _accepted_from(of, result)
    supported = 0 if min_z is None else sum(of.null.standard(pair.z, pair.overlap) < min_z for pair in of.pairs)
    return Significance(
        found_z=found_z,
        found=found,
        mirrored_z=mirrored_z,
        mirrored=np.asarray(np.arange(1, len(mirrored_z) + 1) * (of.tested / max(1, of.decoys_tested)), np.float64),
        chance_z=chance_z,
        chance=of.tested * np.array([of.null.beyond(float(z)) for z in chance_z]),
        min_z=min_z,
        fdr=result.params.fdr,
        threshold=result.params.threshold,
        tested=of.tested,
        accepted=len(of.pairs),
        supported=supported,
        refused=min_z is not None and int((of.observed >= min_z).sum()) > len(of.pairs) - supported,
    )


def _accepted_from(of: Compared, result: MicrographOutcome) -> float | None:
    if result.params.threshold is not None:
        return None
    return of.null.least_z(result.params.fdr * (len(of.pairs) + 1) / of.tested)


def ranked(values: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Values from the highest, and how many are at least as high: each of the first ``EACH``, then fewer and fewer of the others."""
    every, fewer = np.arange(1, min(len(values), EACH) + 1), np.geomspace(1, len(values), EACH).astype(np.int64)
    ranks = np.unique(np.concatenate([every, fewer]))
    order = len(values) - ranks
    return np.partition(values, order)[order], ranks


def draw(data: Significance) -> Figure:
    """Draws the curves on logarithmic axes."""
    layers: list[Layer] = [Line(x=data.found_z, y=data.found.astype(float), paint="first", stepped=True, label="found")]
    if len(data.found_z) < FEW_POINTS:
        layers.append(Points(x=data.found_z, y=data.found.astype(float), size=5.0))
    if len(data.mirrored_z) > 1:
        layers.append(Line(x=data.mirrored_z, y=data.mirrored, paint="second", stepped=True, label="mirrored pairs"))
    layers.append(Line(x=data.chance_z, y=data.chance, paint="grey", dash="dashed", label="expected by chance"))
    if data.min_z is not None:
        layers.append(Rules(at=np.array([data.min_z]), label=f"q ≤ {data.fdr:g}"))
    low = max(1e-3, min(LOWEST_Z, float(data.found_z[0])))
    high = 1.06 * max(float(data.found_z[0]), float(data.chance_z[-1]), low + 1)
    x = Axis(label="significance z (standard deviations)", low=low, high=high, log=True, ticks=TICKS)
    y = Axis(label="pairs with at least this z", low=1e-2, high=2.0 * max(5, int(data.found[-1])), log=True)
    alt = "Numbers of pairs by their significance: found, of mirrored pairs, and expected by chance"
    return Figure("significance", (chart(x, y, layers, alt),), caption(data))


def caption(data: Significance) -> str:
    """The caption, with the number of accepted pairs."""
    found = f"Number of pairs with at least each significance z, out of {data.tested:,} compared pairs. Dashed: an upper estimate of the"
    found += (
        f" number expected by chance, from {_core.MIRRORED_CAUTION:g} times the number of mirrored pairs and from the bulk of all pairs."
    )
    if data.min_z is None:
        return f"{found} Pairs are accepted by their ccc (≥ {data.threshold:g}), not by z."
    found += f" A pair is accepted on its own if z is at least about {data.min_z:.1f}. In total, {data.accepted:,} are accepted."
    if data.supported:
        found += f" Of these, {data.supported:,} have a lower z, but other shots of the same holes agree with them."
    if data.refused:
        found += (
            " A higher z is needed at zero shift, and for pairs that are no more similar than other shots of other holes at the same shift."
        )
    return found
