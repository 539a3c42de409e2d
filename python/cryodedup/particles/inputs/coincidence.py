"""Whether the particles of micrographs with equal names lie at the same positions: then these are one micrograph.

Particles of one exposure coincide, whoever picked them, and those of two exposures do only by chance. The chance is measured with the
particles of one of the two moved aside. So the names of directories decide only where there are too few particles to decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.particles.inputs.clusters import Cluster
from cryodedup.particles.inputs.matcher import Coincidence, Directories
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.inputs.pixel_sizes import Resolved
from cryodedup.particles.points import Points
from cryodedup.text import count

BY_CHANCE = 0.05
"""Coincidences are counted at the distance within which this share of the particles has a neighbour by chance."""
MIN_DISTANCE_A = 0.1
ASIDE = 4.0
"""By how many of these distances particles are moved aside."""
MIN_COMPARED = 100
"""With fewer particles in either of the two directories, nothing is decided."""
MIN_COINCIDING, RATIO = 20, 3
"""Micrographs are the same if at least this many particles coincide, and this many times more than by chance. In two real sets of picks of
one session 57 % of the particles of the smaller one coincide with one of the other, and 3 % by chance."""


def coincidences(
    picks: Sequence[Picks], sizes: Sequence[Resolved], threads: int, pairs: Mapping[Directories, Sequence[tuple[Cluster, Cluster]]]
) -> dict[Directories, Coincidence]:
    """Compares the particles in micrographs of equal names, for each pair of directories.

    Parameters
    ----------
    sizes
        The pixel sizes of each input.
    """
    return {key: compare(*_of_pairs(picks, sizes, some), threads) for key, some in pairs.items()}


def _of_pairs(
    picks: Sequence[Picks], sizes: Sequence[Resolved], pairs: Sequence[tuple[Cluster, Cluster]]
) -> tuple[Floats, NDArray[np.uint32], NDArray[np.uint32]]:
    """The positions (Å) of the particles in pairs of micrographs, the pair of each, and which of the two it is in."""
    wanted: dict[tuple[int, str, int | None], tuple[int, int]] = {
        (one.source, one.micrograph.name, one.micrograph.uid): (number, side)
        for number, pair in enumerate(pairs)
        for side, cluster in enumerate(pair)
        for one in cluster.members
    }
    columns: list[Floats] = []
    for source, (pick, size) in enumerate(zip(picks, sizes, strict=True)):
        found = [wanted.get((source, one.name, one.uid), (-1, 0)) for one in pick.micrographs]
        pair_of, side_of = np.array(found or [(-1, 0)]).T
        rows = np.flatnonzero(pair_of[pick.micrograph_of] >= 0)
        scale = size.sizes_a[rows] if isinstance(size.sizes_a, np.ndarray) else size.sizes_a
        of = pick.micrograph_of[rows]
        columns.append(np.column_stack([*(pick.position[axis][rows] * scale for axis in (0, 1)), pair_of[of], side_of[of]]))
    table = np.concatenate(columns)
    table = table[np.isfinite(table).all(axis=1)]
    return np.ascontiguousarray(table[:, :2]), table[:, 2].astype(np.uint32), table[:, 3].astype(np.uint32)


def compare(positions: Floats, pair_of: NDArray[np.uint32], side: NDArray[np.uint32], threads: int) -> Coincidence:
    """Whether the positions (n, 2) of the two sides (0 and 1) of each pair coincide."""
    counts = np.bincount(side, minlength=2)
    if counts.min() < MIN_COMPARED:
        return Coincidence(None, f"only {count(int(counts.min()), 'particle')} to compare")
    fewer = int(np.argmin(counts))
    within = short_distance(positions, pair_of)
    aside = positions.copy()
    aside[side == fewer, 0] += ASIDE * within
    met, by_chance = (
        int(_core.overlaps(Points(some, pair_of), side, 2, within, threads=threads)[fewer, 1 - fewer]) for some in (positions, aside)
    )
    words = f"{met:,} of {counts[fewer]:,} particles coincide within {within:.0f} Å, {by_chance:,} are expected by chance"
    return Coincidence(met >= max(MIN_COINCIDING, RATIO * by_chance), words)


def short_distance(coordinates_a: Floats, group_of: NDArray[np.uint32]) -> float:
    """The distance within which few particles have a neighbour by chance, Å, from their density in the median micrograph."""
    sides = np.diff(np.quantile(coordinates_a[:, :2], [0.01, 0.99], axis=0), axis=0)[0]
    in_group = np.median(np.bincount(group_of)[group_of])
    return max(MIN_DISTANCE_A, float(np.sqrt(BY_CHANCE * sides[0] * sides[1] / (np.pi * max(1.0, in_group)))))
