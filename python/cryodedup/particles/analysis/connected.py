"""Which particles are connected by duplicates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.components import connected_components
from cryodedup.particles.points import Points
from cryodedup.particles.select import Selection


def connected_with(selection: Selection, micrograph_of: NDArray[np.uint32], separation: float, threads: int) -> NDArray[np.int64]:
    """For each particle, int64 (n,), the best of those connected with it by chains of duplicates: within the separation, or of one uid."""
    ranking, repeated = selection.ranking, selection.repeated
    points = Points(selection.compared, micrograph_of, ranking.scores, ranking.priority)
    best = _core.components(points, separation, threads=threads).astype(np.int64)
    if repeated is None:
        return best
    edges = zip(best[repeated.particles].tolist(), best[repeated.best].tolist(), strict=True)
    sets = connected_components(edges)
    joined = np.array([member for members in sets for member in members], np.int64)
    set_of = np.repeat(np.arange(len(sets), dtype=np.uint64), [len(members) for members in sets])
    order = ranking.best_first(joined, set_of)
    first = np.concatenate([[True], set_of[order][1:] != set_of[order][:-1]])
    replaced = np.arange(len(best))
    replaced[joined] = joined[order][first][set_of.astype(np.int64)]
    return np.asarray(replaced[best], np.int64)
