"""What minimum separation the particles themselves suggest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.particles.picks import Floats
from cryodedup.particles.result import ParticleResult

BINS = 120
MOST_FOR_CURVE = 1_000_000
"""Of more particles some micrographs tell the curve."""
SEPARATIONS = 25
"""So many separations are tried for the curve, besides the one that was used."""
LEAST_DEPTH = 1.5
"""Between two peaks that are that much higher there is a valley."""
LEAST_SHARE = 0.002
"""A peak of fewer particles is none."""
FAR = 3.0
"""Distances are looked at up to so many times that which particles spread at random would have to their nearest neighbour."""


@dataclass(frozen=True)
class Advice:
    """Distances of nearest neighbours, and what they suggest.

    Attributes
    ----------
    edges_a
        float64 (bins + 1,): limits of the histograms' bins, Å.
    before, after
        int64 (bins,): particles by the distance of their nearest neighbour, of all and of the kept ones.
    valley_a
        The separation suggested: the middle of the valley between duplicates and neighbours, Å; None: there are not two peaks.
    packing_a
        The most frequent distance of neighbours that are no duplicates, Å; None: too few.
    separations_a, kept
        float64 and int64 (m,): how many particles stay at each separation; estimates if ``sampled``.
    sampled
        The curve is that of so many particles, all of some micrographs; 0: of all.
    """

    edges_a: Floats
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    valley_a: float | None
    packing_a: float | None
    separations_a: Floats
    kept: NDArray[np.int64]
    sampled: int = 0

    def lines(self, n: int, separation: float) -> list[str]:
        """What the distances suggest, for the terminal and the page; ``n``: all particles, ``separation``: what was used, Å."""
        lines = []
        if self.valley_a is not None:
            lines.append(f"suggested minimum separation: {self.valley_a:.0f} Å, the valley between duplicates and neighbours")
        else:
            lines.append("no valley between duplicates and neighbours: no separation is suggested")
        if self.packing_a is not None:
            lines.append(f"neighbours that are no duplicates are most often {self.packing_a:.0f} Å apart")
        at = int(np.searchsorted(self.separations_a, separation))
        about = f"about {self.kept[at]:,}" if self.sampled else f"{self.kept[at]:,}"
        of = f" (from micrographs taken at random, with {self.sampled:,} particles)" if self.sampled else ""
        lines.append(f"at {separation:g} Å {about} of {n:,} particles stay{of}")
        return lines

    def warnings(self, separation_a: float) -> list[str]:
        """What to say of the separation that was used."""
        if self.packing_a is not None and separation_a > self.packing_a:
            return [
                f"the minimum separation, {separation_a:g} Å, is above the usual distance of neighbours, {self.packing_a:.0f} Å:"
                " particles that are no duplicates are rejected"
            ]
        return []


def advise(result: ParticleResult) -> Advice | None:
    """From the particles of a result; None where no distances are compared, or there are fewer than two particles."""
    separation = result.params.min_separation_a
    if separation <= 0 or len(result.kept) < 2:
        return None
    coordinates, groups, threads = result.coordinates_a, result.micrograph_of, result.params.threads
    reach = max(FAR * _spread_at_random(coordinates, groups), 1.5 * separation)
    edges = np.linspace(0, reach, BINS + 1)

    def histogram(rows: NDArray[np.bool_] | slice) -> NDArray[np.int64]:
        points, of = np.ascontiguousarray(coordinates[rows]), np.ascontiguousarray(groups[rows])
        found = _core.nearest(points, of, reach, threads=threads)
        return np.histogram(found[np.isfinite(found)], edges)[0]

    before, after = histogram(slice(None)), histogram(result.kept)
    valley, packing = valley_and_packing(before, edges)
    separations = np.unique(np.append(np.linspace(0, reach, SEPARATIONS + 1)[1:], separation))
    rows = _sampled(groups)
    scores = None if result.scores is None else result.scores[rows]
    priority = None if result.priority is None else result.priority[rows]
    kept = np.array(_core.kept_at(coordinates[rows], groups[rows], scores, priority, separations.tolist(), threads=threads))
    sampled = 0 if isinstance(rows, slice) else len(rows)
    if sampled:
        kept = np.rint(kept * (len(coordinates) / sampled)).astype(np.int64)
    return Advice(edges, before, after, valley, packing, separations, kept, sampled)


def _sampled(groups: NDArray[np.uint32]) -> NDArray[np.int64] | slice:
    """All particles, or those of as many micrographs, taken at random, as have :data:`MOST_FOR_CURVE`; the same every time."""
    if len(groups) <= MOST_FOR_CURVE:
        return slice(None)
    count = np.bincount(groups)
    turn = np.random.default_rng(0).permutation(len(count))
    chosen = np.zeros(len(count), bool)
    chosen[turn[: int(np.searchsorted(np.cumsum(count[turn]), MOST_FOR_CURVE)) + 1]] = True
    return np.flatnonzero(chosen[groups])


def _spread_at_random(coordinates: Floats, groups: NDArray[np.uint32]) -> float:
    """The distance to the nearest neighbour if the particles of a group were spread at random over its extent, Å; the median of groups."""
    count = np.bincount(groups)
    present = np.flatnonzero(count > 1)
    if not len(present):
        return 0.0
    sides = []
    for axis in coordinates.T:
        low, high = np.full(len(count), np.inf), np.full(len(count), -np.inf)
        np.minimum.at(low, groups, axis)
        np.maximum.at(high, groups, axis)
        sides.append(np.maximum((high - low)[present], 1e-6))
    density = count[present] / np.prod(sides, axis=0)
    # Hertz 1909, Math. Ann. 67, 387: 0.5 and 0.554 over the root of the density.
    dimensions = len(sides)
    return float(np.median((0.5 if dimensions == 2 else 0.554) * density ** (-1 / dimensions)))


def valley_and_packing(counts: NDArray[np.int64], edges: Floats) -> tuple[float | None, float | None]:
    """The middle of the deepest valley between two peaks of a histogram, and the highest bin beyond it (of all, without a valley)."""
    total = int(counts.sum())
    if total < 20:
        return None, None
    smooth = np.convolve(np.pad(counts.astype(float), 2, mode="edge"), np.array([1, 4, 6, 4, 1]) / 16, mode="valid")
    left, right = np.maximum.accumulate(smooth), np.maximum.accumulate(smooth[::-1])[::-1]
    peak = np.minimum(left, right)
    depth = peak / np.maximum(smooth, 0.5)
    before, after = np.cumsum(counts) - counts, total - np.cumsum(counts)
    least = max(5.0, LEAST_SHARE * total)
    depth[(before < least) | (after < least)] = 0
    middles = 0.5 * (edges[1:] + edges[:-1])
    valley = None
    first = 0
    if depth.max() >= LEAST_DEPTH:
        deepest = int(depth.argmax())
        low = high = deepest
        level = 1.1 * smooth[deepest] + 0.5
        while low > 0 and smooth[low - 1] <= level:
            low -= 1
        while high + 1 < len(smooth) and smooth[high + 1] <= level:
            high += 1
        valley, first = float(0.5 * (middles[low] + middles[high])), high
    return valley, float(middles[first + int(smooth[first:].argmax())])
