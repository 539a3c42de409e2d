"""A sample of particles, and the distances in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.particles.inputs.picks import Floats
from cryodedup.particles.points import Points

Groups = NDArray[np.uint32]

MEAN_AT_RANDOM = {1: 0.5, 2: 0.5, 3: 0.554}
"""Mean nearest-neighbour distance of random points, times the density to the power 1 / dimensions (Hertz 1909, Math. Ann. 67, 387)."""
FLAT = 1e-6
"""An axis along which particles extend over less than this share of the longest axis is ignored."""
STRIDE_FOR_BOX = 50_000
"""The limits of a box that holds a given share of the particles are estimated from about this many."""


def sampled(coordinates_a: Floats, micrograph_of: Groups, most: int) -> NDArray[np.int64] | slice:
    """All particles, or about ``most`` of them: those of random micrographs, or of a box in a very large one. The same every time."""
    if len(micrograph_of) <= most:
        return slice(None)
    count = np.bincount(micrograph_of)
    turn = np.random.default_rng(0).permutation(np.flatnonzero(count))
    chosen = np.zeros(len(count), bool)
    chosen[turn[: int(np.searchsorted(np.cumsum(count[turn]), most)) + 1]] = True
    rows = np.flatnonzero(chosen[micrograph_of])
    return rows if len(rows) <= 2 * most else _boxed(coordinates_a, rows, most)


def _boxed(coordinates_a: Floats, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The particles in the middle along every axis: a compact box with about ``most`` of them."""
    axes = coordinates_a.shape[1]
    margin = 0.5 - 0.5 * (most / len(rows)) ** (1 / axes)
    few = rows[:: max(1, len(rows) // STRIDE_FOR_BOX)]
    for axis in range(axes):
        low, high = np.quantile(coordinates_a[few, axis], [margin, 1 - margin])
        few, rows = (some[(coordinates_a[some, axis] >= low) & (coordinates_a[some, axis] <= high)] for some in (few, rows))
    return rows


def extent(coordinates_a: Floats) -> tuple[Floats, Floats]:
    """Lower and upper limits along each axis within which nearly all particles lie, robust to outliers; equal for an ignored axis."""
    if not len(coordinates_a):
        return np.zeros(coordinates_a.shape[1]), np.zeros(coordinates_a.shape[1])
    low, high = np.quantile(coordinates_a, [0.01, 0.99], axis=0)
    margin = (high - low) / 98  # as if they were spread evenly
    real = high - low > FLAT * (high - low).max()
    return np.where(real, low - margin, low), np.where(real, high + margin, low)


def spread_at_random(coordinates_a: Floats, micrograph_of: Groups) -> float:
    """The distance to the nearest neighbour if particles were spread at random over their micrograph, Å.

    The density is that around the median particle; 0 if there are fewer than two particles, or all are at one position. Each micrograph is
    taken to be as large as the extent of all particles.
    """
    low, high = extent(coordinates_a)
    sides = (high - low)[high > low]
    if len(micrograph_of) < 2 or not len(sides):
        return 0.0
    density = np.median(np.bincount(micrograph_of)[micrograph_of]) / np.prod(sides)
    return float(MEAN_AT_RANDOM[len(sides)] * density ** (-1 / len(sides)))


def nearest_distances(coordinates_a: Floats, micrograph_of: Groups, reach_a: float, threads: int) -> Floats:
    """Nearest-neighbour distances of the particles that have a neighbour within ``reach_a``, ascending."""
    points, of = np.ascontiguousarray(coordinates_a), np.ascontiguousarray(micrograph_of)
    found = _core.nearest(Points(points, of), reach_a, threads=threads)
    return np.sort(found[np.isfinite(found)]).astype(np.float64)


def pair_distances(coordinates_a: Floats, micrograph_of: Groups, reach_a: float, most: int) -> tuple[Floats, float]:
    """Distances of pairs in the same micrograph within ``reach_a``, ascending; and which share of all pairs was counted.

    Particles are sorted by micrograph, row of cells and x, so that those within reach of a particle lie in a few spans. If there would be
    more than ``most`` pairs, only those of every k-th particle are counted.
    """
    order, spans = _spans(coordinates_a, micrograph_of, reach_a)
    points = coordinates_a[order]
    begin, count = spans[:, 0], np.maximum(0, spans[:, 1] - spans[:, 0])
    every = max(1, -(-int(count.sum()) // most))
    squares = []
    for start, number in zip(begin[:, ::every], count[:, ::every], strict=True):
        one = np.repeat(np.arange(0, len(points), every), number)
        other = np.arange(len(one)) + np.repeat(start - np.cumsum(number) + number, number)
        squares.append(((points[one] - points[other]) ** 2).sum(axis=1))
    found = np.concatenate(squares)
    return np.sqrt(np.sort(found[found <= reach_a**2])), 1 / every


def _spans(coordinates_a: Floats, micrograph_of: Groups, reach: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order that sorts the particles, and the spans in it, (rows, 2, n), that contain the later particles within reach of each."""
    x = coordinates_a[:, 0] - coordinates_a[:, 0].min()
    cells = ((coordinates_a[:, 1:] - coordinates_a[:, 1:].min(axis=0)) / reach).astype(np.int64)
    across = cells.max(axis=0) + 3  # an empty row on either side, so that rows of different micrographs are not adjacent
    row = np.unique(micrograph_of, return_inverse=True)[1].astype(np.int64)
    for axis in range(cells.shape[1]):
        row = row * across[axis] + cells[:, axis] + 1
    length = x.max() + 3 * reach
    key = row * length + x
    order = np.argsort(key, kind="stable")
    key = key[order]
    rows_on = [1] if cells.shape[1] == 1 else [1, across[1] - 1, across[1], across[1] + 1]
    spans = [(np.arange(len(key)) + 1, np.searchsorted(key, key + reach, "right"))]
    spans += [(np.searchsorted(key, key + on * length - reach), np.searchsorted(key, key + on * length + reach, "right")) for on in rows_on]
    return order, np.array(spans)
