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
KERNEL = np.array([1, 4, 6, 4, 1]) / 16
NEAR = 0.5
"""Duplicates are nearer to each other than this share of the distance of neighbours at random."""
SIGNIFICANT = 5.0
MOST_PASSES = 5
LEAST = 20
"""Of fewer particles nothing is said of their neighbours."""
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
        The separation suggested: the middle of the valley between duplicates and neighbours, Å; None: no peak of duplicates is there.
    packing_a
        The most frequent distance of neighbours once duplicates are gone, Å; None: too few.
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
            lines.append("no peak of duplicates stands out from the distances of neighbours: no separation is suggested")
        if self.packing_a is not None:
            lines.append(f"neighbours that are no duplicates are most often {self.packing_a:.0f} Å apart")
        at = int(np.searchsorted(self.separations_a, separation))
        about = f"about {self.kept[at]:,}" if self.sampled else f"{self.kept[at]:,}"
        of = f" (from micrographs taken at random, with {self.sampled:,} particles)" if self.sampled else ""
        lines.append(f"by distance alone, the best of each kept, at {separation:g} Å {about} of {n:,} particles stay{of}")
        return lines

    def summary(self) -> dict[str, object]:
        """For JSON."""
        curve = [list(pair) for pair in zip(self.separations_a.round(3).tolist(), self.kept.tolist(), strict=True)]
        return {"suggested_a": self.valley_a, "usual_distance_a": self.packing_a, "separation_and_kept": curve, "sampled": self.sampled}

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
    reach = max(FAR * _spread_at_random(coordinates[result.kept], groups[result.kept]), 1.5 * separation)
    edges = np.linspace(0, reach, BINS + 1)

    def histogram(rows: NDArray[np.bool_] | slice) -> NDArray[np.int64]:
        points, of = np.ascontiguousarray(coordinates[rows]), np.ascontiguousarray(groups[rows])
        found = _core.nearest(points, of, reach, enough=float(edges[1]), threads=threads)
        return np.histogram(found[np.isfinite(found)], edges)[0]

    before, after = histogram(slice(None)), histogram(result.kept)
    # Neighbours are seen once duplicates are gone; of many copies the nearest ones go first.
    neighbours, alone, ends = before, np.ones(len(coordinates), bool), 0.0
    for _ in range(MOST_PASSES):
        end = duplicates_end(neighbours, edges, _spread_at_random(coordinates[alone], groups[alone]))
        if end is None or end <= ends:
            break
        ends = end
        alone, _, _, _ = _core.deduplicate(
            coordinates, groups, result.scores, result.priority, ends, remove_entirely=False, threads=threads
        )
        neighbours = histogram(alone)
    packing = mode(neighbours, edges)
    valley = between(neighbours, edges, ends) if ends and packing is not None and packing > ends else None
    step = reach / SEPARATIONS
    separations = np.unique(np.concatenate([[0.2 * step, 0.5 * step, separation], np.linspace(0, reach, SEPARATIONS + 1)[1:]]))
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


def _smooth(counts: NDArray[np.int64]) -> Floats:
    return np.convolve(np.pad(counts.astype(float), 2, mode="edge"), KERNEL, mode="valid")


def duplicates_end(counts: NDArray[np.int64], edges: Floats, at_random: float) -> float | None:
    """The distance, Å, at which the peak of duplicates ends; None: there is none.

    It is a peak well below the distance that particles spread at random would have, and higher than a minimum behind it by more than
    :data:`SIGNIFICANT` standard deviations of counts.
    """
    smooth, middles = _smooth(counts), 0.5 * (edges[1:] + edges[:-1])
    near = np.flatnonzero(middles <= NEAR * at_random)
    if not len(near) or not smooth[near].any():
        return None
    peak = int(near[smooth[near].argmax()])
    behind = smooth[peak : max(peak + 2, int(np.searchsorted(middles, at_random)))]
    least = float(behind.min())
    if smooth[peak] - least <= SIGNIFICANT * np.sqrt(KERNEL @ KERNEL * (smooth[peak] + least)):
        return None
    low = least + 0.05 * (smooth[peak] - least)
    return float(edges[peak + 1 + int((behind[1:] <= low).argmax())])


def mode(counts: NDArray[np.int64], edges: Floats) -> float | None:
    """The most frequent distance, Å; None: too few particles."""
    if counts.sum() < LEAST:
        return None
    return float(0.5 * (edges[1:] + edges[:-1])[_smooth(counts).argmax()])


def between(neighbours: NDArray[np.int64], edges: Floats, ends: float) -> float:
    """The middle between the end of the duplicates and where neighbours begin to be frequent, Å."""
    smooth = _smooth(neighbours)
    begins = float(edges[int((smooth >= 0.1 * smooth.max()).argmax())])
    return 0.5 * (ends + max(begins, ends))
