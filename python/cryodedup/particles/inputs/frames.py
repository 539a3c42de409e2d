"""Inputs whose coordinates are in different frames: an axis counted from the other edge, axes swapped, or all of it shifted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.inputs.picks import Floats, Picks

FRAMES = {
    "its coordinates are shifted by {0:.0f}, {1:.0f} Å, compared with": ((1, 0), (0, 1)),
    "its y seems to be counted from the opposite edge, compared with": ((1, 0), (0, -1)),
    "its x seems to be counted from the opposite edge, compared with": ((-1, 0), (0, 1)),
    "its x and y seem to be counted from the opposite edges, compared with": ((-1, 0), (0, -1)),
    "its x and y seem to be swapped, compared with": ((0, 1), (1, 0)),
    "its micrographs seem to be turned by 90 degrees, compared with": ((0, -1), (1, 0)),
    "its micrographs seem to be turned by 270 degrees, compared with": ((0, 1), (-1, 0)),
    "its x and y seem to be swapped and counted from the opposite edges, compared with": ((0, -1), (-1, 0)),
}
"""What each transformation of the second input's coordinates, besides a shift, is in words."""
BY_CHANCE = 0.05
"""Neighbours are counted within the distance at which this share of the particles has one by chance."""
AS_IT_IS = ((1, 0), (0, 1))
MIN_FOUND, RATIO = 20, 3
"""In another frame at least this many particles have a neighbour, and this many times more than as they are and than by chance."""
MASK = (1 << 32) - 1
MAX_PAIRS, MAX_A_MICROGRAPH, MAX_MICROGRAPHS, MAX_INPUTS = 300_000, 200, 60, 32
"""What is looked at: differences, particles of the first input in a micrograph, micrographs, and pairs of inputs."""


def other_frames(
    picks: Sequence[Picks],
    coordinates_a: Floats,
    micrograph_of: NDArray[np.uint32],
    source_of: NDArray[np.uint32],
    shared: NDArray[np.int64],
    separation_a: float,
) -> list[str]:
    """Warnings for inputs that agree with an earlier one in the same micrographs in another frame only; two-dimensional ones."""
    if len(picks) < 2 or coordinates_a.shape[1] != 2:
        return []
    warnings = []
    for j in range(1, min(len(picks), MAX_INPUTS)):
        i = next((i for i in range(j) if shared[i, j]), None)
        if i is None:
            continue
        one, other = ((coordinates_a[rows], micrograph_of[rows]) for rows in (source_of == i, source_of == j))
        found = _frame(one, other, separation_a)
        if found is not None:
            words, as_they_are, otherwise, looked_at, distance = found
            warnings.append(
                f"{picks[j].label}: {words} {picks[i].label}: {as_they_are:,} of {looked_at:,} particles have a match in the other input"
                f" within {distance:.0f} Å, but {otherwise:,} would have one after this is corrected, so duplicates are missed; export one"
                " of the inputs again, or convert its coordinates"
            )
    return warnings


def _frame(
    first: tuple[Floats, NDArray[np.uint32]], second: tuple[Floats, NDArray[np.uint32]], separation_a: float
) -> tuple[str, int, int, int, float] | None:
    """Returns what relates two inputs, in words; how many of the first meet as they are, and otherwise; of how many; within which reach."""
    rows, pairs = _pairs_in_micrographs(first[1], second[1])
    if len(np.unique(rows)) < MIN_FOUND:
        return None
    one, other = first[0][rows], second[0][pairs]
    n = len(np.unique(rows))
    sides = np.ptp(np.concatenate([one, other]), axis=0)
    distance = float(np.sqrt(BY_CHANCE * sides[0] * sides[1] / (np.pi * len(rows) / n)))
    if distance <= 0:
        return None
    met = _meeting(rows, other - one, np.zeros(2), distance)
    enough = max(MIN_FOUND, RATIO * met, RATIO * BY_CHANCE * n)
    best: tuple[str, int, int, int, float] | None = None
    for words, matrix in FRAMES.items():
        shifts = other @ np.array(matrix).T - one
        shift = _most_frequent(shifts, distance)
        found = _meeting(rows, shifts, shift, distance)
        if matrix == AS_IT_IS and np.hypot(*shift) <= max(separation_a, distance):
            continue
        if found >= max(enough, best[2] + 1 if best else 0):
            best = (words.format(*shift), met, found, n, distance)
    return best


def _pairs_in_micrographs(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of particles of both inputs in some micrographs of both, spread over all: rows of the first, and of the second."""
    common = np.intersect1d(first, second)
    rows: list[NDArray[np.int64]] = []
    pairs: list[NDArray[np.int64]] = []
    left = MAX_PAIRS
    for micrograph in common[:: -(-len(common) // MAX_MICROGRAPHS)] if len(common) else []:
        mine, theirs = (np.flatnonzero(of == micrograph) for of in (first, second))
        mine = mine[:: -(-len(mine) // MAX_A_MICROGRAPH)]
        left -= len(mine) * len(theirs)
        if left < 0 and rows:
            break
        rows.append(np.repeat(mine, len(theirs)))
        pairs.append(np.tile(theirs, len(mine)))
    return np.concatenate([np.zeros(0, np.int64), *rows]), np.concatenate([np.zeros(0, np.int64), *pairs])


def _most_frequent(shifts: Floats, distance: float) -> Floats:
    """The shift that most pairs have, to about the distance: the median of those in the fullest cell and around it.

    NaN if pairs of quite another shift are half as frequent: in a lattice those of each of its periods are.
    """
    cells = np.floor(shifts / distance).astype(np.int64)
    cells -= cells.min(axis=0)
    keys = (cells[:, 0] << 32) + cells[:, 1]
    values, counts = np.unique(keys, return_counts=True)
    fullest = counts.argmax()
    inside = keys == values[fullest]
    apart = np.abs(np.stack([values >> 32, values & MASK], axis=1) - [values[fullest] >> 32, values[fullest] & MASK]).max(axis=1) > 1
    if 2 * counts[apart].max(initial=0) > counts[fullest]:
        return np.full(2, np.nan)
    near = np.abs(shifts - shifts[inside].mean(axis=0)).max(axis=1) <= distance
    return np.asarray(np.median(shifts[near], axis=0), np.float64)


def _meeting(rows: NDArray[np.int64], shifts: Floats, shift: Floats, distance: float) -> int:
    """How many particles have another within the distance, once it is shifted."""
    off = shifts - shift
    return len(np.unique(rows[(off * off).sum(axis=1) <= distance * distance]))
