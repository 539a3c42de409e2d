"""The distances of nearest neighbours, and how many particles each separation keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.particles.analysis.neighbours import Groups, nearest_distances, sampled, spread_at_random
from cryodedup.particles.analysis.separation import Suggestion
from cryodedup.particles.inputs.picks import Floats
from cryodedup.particles.points import Points

BINS = 120
MAX_FOR_CURVE = 500_000
"""With more particles, the curve is computed from some of the micrographs."""
SEPARATIONS = 25
"""Number of evenly spaced separations in the curve; two smaller ones and the one that was used are added."""
FAR, MIN_REACH_A = 4.0, 1e-3
"""Distances are considered up to this many times the nearest-neighbour distance of randomly placed particles, and at least this many Å."""
FINEST = 2.0**-40
"""Separations below this share of the extent of the coordinates are not tried."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Distances of nearest neighbours, what they suggest, and what each separation would keep.

    Attributes
    ----------
    suggestion
        What the distances suggest.
    edges_a
        float64 (bins + 1,): limits of the histograms' bins, Å.
    before, after
        int64 (bins,): histograms of the nearest-neighbour distances, of all particles and of the kept ones.
    separations_a, kept
        float64 and int64 (m,): how many particles are kept at each separation; estimates if ``sampled``.
    sampled
        Number of particles from which the curve is estimated, all those of some micrographs; 0: the curve is exact.
    """

    suggestion: Suggestion
    edges_a: Floats
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    separations_a: Floats
    kept: NDArray[np.int64]
    sampled: int

    def lines(self, n: int, separation_a: float) -> list[str]:
        """Returns what the distances suggest, for the terminal and the page; ``n``: number of particles, ``separation_a``: the one used."""
        at = int(np.searchsorted(self.separations_a, separation_a))
        about = f"about {self.kept[at]:,}" if self.sampled else f"{self.kept[at]:,}"
        of = f" (estimated from {self.sampled:,} particles of random micrographs)" if self.sampled else ""
        stay = f"by distance alone, keeping the best duplicates, {about} of {n:,} particles are kept at {separation_a:g} Å{of}"
        return [*self.suggestion.lines(), stay]

    def summary(self) -> dict[str, object]:
        """For JSON."""
        curve = [list(pair) for pair in zip(self.separations_a.round(3).tolist(), self.kept.tolist(), strict=True)]
        return {**self.suggestion.summary(), "separation_and_kept": curve, "sampled": self.sampled}


def advise(
    coordinates_a: Floats,
    micrograph_of: Groups,
    kept: NDArray[np.bool_],
    suggestion: Suggestion,
    separation_a: float,
    *,
    scores: Floats | None = None,
    priority: NDArray[np.uint32] | None = None,
    threads: int = 0,
) -> Advice | None:
    """Histograms before and after, and the curve; None if there are fewer than two particles.

    Parameters
    ----------
    coordinates_a, micrograph_of
        float64 (n, 2) or (n, 3), Å, and uint32 (n,).
    kept
        bool (n,): which particles were kept.
    suggestion
        The result of :func:`separation.suggest` for them.
    separation_a
        The separation used; it is one of those tried.
    scores, priority
        float64 and uint32 (n,): which particles are better, as in :class:`Points`; None: input order.
    """
    if len(kept) < 2:
        return None
    reach = max(FAR * spread_at_random(coordinates_a, micrograph_of), 1.5 * separation_a, MIN_REACH_A)
    found = [nearest_distances(coordinates_a[rows], micrograph_of[rows], reach, threads) for rows in (slice(None), kept)]
    most = [1.2 * float(np.quantile(distances, 0.99)) for distances in found if len(distances)]
    end = min(reach, max([1.5 * separation_a, 1.2 * (suggestion.usual_distance_a or 0.0), MIN_REACH_A, *most]))
    edges = np.linspace(0, end, BINS + 1)
    before, after = (np.histogram(distances, edges)[0] for distances in found)
    separations = _tried(end, separation_a, float(np.ptp(coordinates_a)))
    rows = sampled(coordinates_a, micrograph_of, MAX_FOR_CURVE)
    some = Points(coordinates_a, micrograph_of, scores, priority).take(rows)
    stay = np.array(_core.kept_at(some, separations.tolist(), threads=threads))
    several = 0 if isinstance(rows, slice) else len(rows)
    if several:
        stay = np.rint(stay * (len(kept) / several)).astype(np.int64)
    return Advice(
        suggestion=suggestion,
        edges_a=edges,
        before=before,
        after=after,
        separations_a=separations,
        kept=stay,
        sampled=several,
    )


def advise_on_sample(
    coordinates_a: Floats,
    micrograph_of: Groups,
    kept: NDArray[np.bool_],
    suggestion: Suggestion,
    separation_a: float,
    max_particles: int,
    *,
    scores: Floats | None = None,
    priority: NDArray[np.uint32] | None = None,
    threads: int = 0,
) -> Advice | None:
    """As :func:`advise`; with more than ``max_particles``, histograms and curve come from some micrographs, scaled to all particles."""
    rows = sampled(coordinates_a, micrograph_of, max_particles)
    found = advise(
        coordinates_a[rows],
        micrograph_of[rows],
        kept[rows],
        suggestion,
        separation_a,
        scores=None if scores is None else scores[rows],
        priority=None if priority is None else priority[rows],
        threads=threads,
    )
    if found is None or isinstance(rows, slice) or len(rows) == len(kept):
        return found
    before, after, stay = (np.rint(counts * (len(kept) / len(rows))).astype(np.int64) for counts in (found.before, found.after, found.kept))
    return replace(found, before=before, after=after, kept=stay, sampled=len(rows))


def _tried(end: float, separation_a: float, extent: float) -> Floats:
    """The separations of the curve: even steps up to an end, two smaller ones, and the one that was used."""
    step = end / SEPARATIONS
    tried = np.unique(np.concatenate([[0.2 * step, 0.5 * step, separation_a], step * np.arange(1, SEPARATIONS + 1)]))
    return np.asarray(tried[(tried > FINEST * extent) | (tried == separation_a)])
