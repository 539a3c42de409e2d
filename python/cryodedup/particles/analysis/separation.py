"""What minimum separation the particles themselves suggest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.particles.inputs.picks import Floats
from cryodedup.particles.result import ParticleResult

BINS = 120
MOST_FOR_CURVE = 500_000
"""Of more particles some micrographs tell the curve."""
SEPARATIONS = 25
"""So many separations are tried for the curve, besides the one that was used."""
KERNEL, SMOOTHED = np.array([1, 4, 6, 4, 1]) / 16, 6
"""Histograms are smoothed by a kernel with a standard deviation of one bin, so often."""
LEAST_DUPLICATES = 6
NEAR_ZERO = 0.02
"""Of duplicates at least this share is nearer than half the median; of jitter of a Gaussian it is 16 %."""
MANY, BEHIND, BEHIND_FEW, BEHIND_OFFSET = 60, 1.5, 2.5, 15.0
MOST_BEHIND, STEP, LEAST_END = 0.25, 1.15, 5e-3
MOST_FOR_GAP = 50_000
"""Of more particles some micrographs tell what is behind the duplicates."""
LEAST = 20
"""Of fewer particles nothing is said of their neighbours."""
CROWDED = 1.5
"""So many times as many near neighbours as particles at random have may be duplicates."""
MEAN_AT_RANDOM = {1: 0.5, 2: 0.5, 3: 0.554}
"""Mean distance to the nearest neighbour over the root of the density (Hertz 1909, Math. Ann. 67, 387)."""
WITHIN_MEAN = {1: 1.0, 2: np.pi / 4, 3: 0.712}
"""Neighbours that particles at random have within that distance."""
FINEST = 2.0**-40
"""Separations of a smaller share of the extent are too small to be looked for."""
FAR, LEAST_REACH = 4.0, 1e-3
"""Distances are looked at up to so many times that to the nearest of particles spread at random, and at least so many Å."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """What the distances of nearest neighbours suggest.

    Attributes
    ----------
    valley_a
        The separation suggested: the middle of the valley between duplicates and neighbours, Å; None: there is none, or none to be seen.
    packing_a
        The most frequent distance of neighbours once duplicates are gone, Å; None: too few, or neighbours that may be duplicates.
    crowded
        Many neighbours may be duplicates, but no gap tells them from others.
    """

    valley_a: float | None
    packing_a: float | None
    crowded: bool

    def warn(self, result: ParticleResult) -> None:
        """Adds to a result's warnings, once, what is to be said of the separation that was used."""
        result.warnings += [warning for warning in self.warnings(result.params.min_separation_a) if warning not in result.warnings]

    def warnings(self, separation_a: float) -> list[str]:
        """What to say of a separation."""
        if self.packing_a is not None and separation_a > self.packing_a:
            return [
                f"the minimum separation, {separation_a:g} Å, is above the usual distance of neighbours, {self.packing_a:.0f} Å: particles"
                " that are no duplicates are rejected"
            ]
        return []


@dataclass(frozen=True, kw_only=True)
class Advice(Suggestion):
    """Distances of nearest neighbours, what they suggest, and what each separation would keep.

    Attributes
    ----------
    edges_a
        float64 (bins + 1,): limits of the histograms' bins, Å.
    before, after
        int64 (bins,): particles by the distance of their nearest neighbour, of all and of the kept ones.
    separations_a, kept
        float64 and int64 (m,): how many particles stay at each separation; estimates if ``sampled``.
    sampled
        The curve is that of so many particles, all of some micrographs; 0: of all.
    """

    edges_a: Floats
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    separations_a: Floats
    kept: NDArray[np.int64]
    sampled: int

    def lines(self, n: int, separation: float) -> list[str]:
        """What the distances suggest, for the terminal and the page; ``n``: all particles, ``separation``: what was used, Å."""
        lines = []
        if self.valley_a is not None:
            lines.append(f"suggested minimum separation: {self.valley_a:.0f} Å, the valley between duplicates and neighbours")
        elif self.crowded:
            lines.append(
                "many neighbours are nearer than chance makes them, but no gap tells duplicates from others: no separation is suggested"
            )
        elif self.packing_a is None:
            lines.append("too few neighbours are no duplicates to tell where these end: no separation is suggested")
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
        return {
            "suggested_a": self.valley_a,
            "usual_distance_a": self.packing_a,
            "no_gap": self.crowded,
            "separation_and_kept": curve,
            "sampled": self.sampled,
        }


def suggest(result: ParticleResult) -> Suggestion:
    """From the particles of a result, whatever separation was used."""
    coordinates, groups, threads = result.coordinates_a, result.micrograph_of, result.params.threads
    at_random, dimensions = _spread_at_random(coordinates, groups)
    nearest = _nearest(coordinates, groups, max(FAR * at_random, LEAST_REACH), threads)
    return _suggest(coordinates, groups, nearest, at_random, dimensions, threads)


def _suggest(
    coordinates: Floats, groups: NDArray[np.uint32], nearest: Floats, at_random: float, dimensions: int, threads: int
) -> Suggestion:
    if at_random == 0:
        return Suggestion(valley_a=None, packing_a=None, crowded=False)
    gap, neighbours = duplicates_end(coordinates, groups, nearest, FAR * at_random, threads)
    usual = mode(neighbours)
    crowded = gap is None and usual is not None and _crowded(neighbours, usual, len(groups), at_random, dimensions)
    return Suggestion(valley_a=None if gap is None else sum(gap) / 2, packing_a=None if crowded else usual, crowded=crowded)


def advise(result: ParticleResult) -> Advice | None:
    """From the particles of a result; None if there are fewer than two."""
    if len(result.kept) < 2:
        return None
    separation, threads = result.params.min_separation_a, result.params.threads
    coordinates, groups = result.coordinates_a, result.micrograph_of
    at_random, dimensions = _spread_at_random(coordinates, groups)
    reach = max(FAR * at_random, 1.5 * separation, LEAST_REACH)
    found = [_nearest(coordinates[rows], groups[rows], reach, threads) for rows in (slice(None), result.kept)]
    near = found[0][: np.searchsorted(found[0], FAR * at_random)]
    suggestion = _suggest(coordinates, groups, near, at_random, dimensions, threads)
    most = [1.2 * np.quantile(distances, 0.99) for distances in found if len(distances)]
    edges = np.linspace(0, min(reach, max([1.5 * separation, 1.2 * (suggestion.packing_a or 0.0), LEAST_REACH, *most])), BINS + 1)
    before, after = (np.histogram(distances, edges)[0] for distances in found)
    step = edges[-1] / SEPARATIONS
    separations = np.unique(np.concatenate([[0.2 * step, 0.5 * step, separation], np.linspace(0, edges[-1], SEPARATIONS + 1)[1:]]))
    separations = separations[(separations > FINEST * np.ptp(coordinates)) | (separations == separation)]
    rows = _sampled(coordinates, groups, MOST_FOR_CURVE)
    scores = None if result.scores is None else result.scores[rows]
    priority = None if result.priority is None else result.priority[rows]
    kept = np.array(_core.kept_at(coordinates[rows], groups[rows], scores, priority, separations.tolist(), threads=threads))
    sampled = 0 if isinstance(rows, slice) else len(rows)
    if sampled:
        kept = np.rint(kept * (len(coordinates) / sampled)).astype(np.int64)
    return Advice(**vars(suggestion), edges_a=edges, before=before, after=after, separations_a=separations, kept=kept, sampled=sampled)


def _nearest(coordinates: Floats, groups: NDArray[np.uint32], reach: float, threads: int) -> Floats:
    """Distances of the nearest neighbours of those that have one within reach, ascending."""
    points, of = np.ascontiguousarray(coordinates), np.ascontiguousarray(groups)
    found = _core.nearest(points, of, reach, enough=1e-3 * reach, threads=threads)
    return np.sort(found[np.isfinite(found)]).astype(np.float64)


def _sampled(coordinates: Floats, groups: NDArray[np.uint32], most: int) -> NDArray[np.int64] | slice:
    """All particles, or those of as many micrographs, taken at random, as have ``most``, of a larger one a slice; the same every time."""
    if len(groups) <= most:
        return slice(None)
    count = np.bincount(groups)
    turn = np.random.default_rng(0).permutation(np.flatnonzero(count))
    chosen = np.zeros(len(count), bool)
    chosen[turn[: int(np.searchsorted(np.cumsum(count[turn]), most)) + 1]] = True
    rows = np.flatnonzero(chosen[groups])
    if len(rows) <= 2 * most:
        return rows
    along = coordinates[rows, 0]
    middle = np.argpartition(np.abs(along - np.median(along)), most)[:most]
    return rows[np.sort(middle)]


def _spread_at_random(coordinates: Floats, groups: NDArray[np.uint32]) -> tuple[float, int]:
    """The distance to the nearest neighbour if particles were spread at random over their micrograph, Å, and along how many axes they are.

    It is that of the median particle; 0 where there are fewer than two, or all are in one place.
    All micrographs are taken to be as large as what holds 98 % of the coordinates: a wild one changes nothing.
    """
    if len(groups) < 2:
        return 0.0, 0
    count = np.bincount(groups)[groups]
    sides = np.diff(np.quantile(coordinates, [0.01, 0.99], axis=0), axis=0)[0]
    sides = sides[sides > 1e-6 * sides.max()]  # not those along which all are in one place
    if not len(sides):
        return 0.0, 0
    return float(MEAN_AT_RANDOM[len(sides)] * (np.median(count) / np.prod(sides)) ** (-1 / len(sides))), len(sides)


def duplicates_end(
    coordinates: Floats, groups: NDArray[np.uint32], nearest: Floats, reach: float, threads: int
) -> tuple[tuple[float, float] | None, Floats]:
    """The gap behind the duplicates, None if there are none, and the distances of neighbours once they are gone; Å.

    The gap is from the largest distance of duplicates to the smallest of neighbours.
    Duplicates lie around one place, so that their distances begin at zero: of those within the end, enough are much nearer than the
    median; or they are all of one offset, and then far nearer than any neighbour. And little is to be seen behind the end: once one of
    each remains, few neighbours (false picks lie anywhere) are between it and :data:`BEHIND` times it. Particles at random, packed ones,
    dimers and filaments fail the one or the other. Of the distances that pass the one before the widest gap, as a ratio, is taken:
    coordinates of whole pixels have gaps between one pixel and the next, too.
    """
    rows = _sampled(coordinates, groups, MOST_FOR_GAP)
    some, of = np.ascontiguousarray(coordinates[rows]), np.ascontiguousarray(groups[rows])
    share = len(some) / len(groups)
    found: tuple[float, float] | None = None

    def left(separation: float) -> tuple[Floats, int]:
        alone, _, _, _ = _core.deduplicate(some, of, None, None, separation, remove_entirely=False, threads=threads)
        return _nearest(some[alone], of[alone], reach, threads), int(alone.sum())

    if len(nearest) <= LEAST_DUPLICATES:
        return None, nearest
    end = max(float(nearest[LEAST_DUPLICATES - 1]), LEAST_END * reach)
    while end < reach / BEHIND:
        within = int(np.searchsorted(nearest, end, side="right"))
        near = int(np.searchsorted(nearest, 0.5 * float(nearest[within // 2]), side="right"))
        neighbours, alone = left(end)
        few = int(min(MOST_BEHIND * share * within, 0.5 * MOST_BEHIND * alone))
        start = float(neighbours[few]) if few < len(neighbours) else reach
        # Few may be followed by nothing for a while by chance.
        behind = BEHIND if within >= MANY else BEHIND_FEW
        if near < max(2, NEAR_ZERO * within):
            behind = BEHIND_OFFSET
        if start > behind * end and (found is None or start / end > found[1] / found[0]):
            found = (end, start)
        end *= STEP
    if found is None:
        return None, nearest
    neighbours, _ = left(0.5 * sum(found))
    return (found, neighbours) if len(neighbours) >= LEAST else (None, np.zeros(0))


def _crowded(nearest: Floats, usual: float, n: int, at_random: float, dimensions: int) -> bool:
    """Whether neighbours at their usual distance may be duplicates that no gap tells from others: they begin at zero, and are too many."""
    within = int(np.searchsorted(nearest, usual, side="right"))
    by_chance = n * -np.expm1(-WITHIN_MEAN[dimensions] * (usual / at_random) ** dimensions)
    return bool(within > CROWDED * by_chance and np.searchsorted(nearest, 0.5 * nearest[within // 2]) >= NEAR_ZERO * within)


def mode(distances: Floats) -> float | None:
    """The most frequent distance, Å, of ascending ones; None: too few."""
    if len(distances) < LEAST:
        return None
    counts, edges = np.histogram(distances, np.linspace(0, max(1e-3, 1.2 * np.quantile(distances, 0.99)), BINS + 1))
    smooth = np.pad(counts.astype(float), 2 * SMOOTHED, mode="edge")
    for _ in range(SMOOTHED):
        smooth = np.convolve(smooth, KERNEL, mode="valid")
    return float(0.5 * (edges[1:] + edges[:-1])[smooth.argmax()])
