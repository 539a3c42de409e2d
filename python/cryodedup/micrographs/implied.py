"""Pairs that have to be there by the shifts of others: if A and B show one place, and B and C, then so do A and C."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.measuring import Pair


def implied(pairs: Sequence[Pair], size: tuple[int, int], width: int, min_overlap: float) -> tuple[int, int]:
    """How many pairs have to be there, with so much overlap, and how many of these were found.

    Parameters
    ----------
    pairs
        What was found; the most significant ones give the place of each micrograph in its set, and do not count.
    size, width
        Columns and rows of the reduced micrographs, and the pixels that a reduced one takes.
    """
    place: dict[int, NDArray[np.float64]] = {i: np.zeros(2) for pair in pairs for i in (pair.first, pair.second)}
    set_of = {i: [i] for i in place}
    others = {(min(pair.first, pair.second), max(pair.first, pair.second)) for pair in pairs}
    given = set()
    for pair in sorted(pairs, key=lambda pair: -pair.z):
        first, second = set_of[pair.first], set_of[pair.second]
        if first is not second:
            given.add((min(pair.first, pair.second), max(pair.first, pair.second)))
            moved = place[pair.first] + np.array(pair.shift_px) / width - place[pair.second]
            place |= {i: place[i] + moved for i in second}
            first += second
            set_of |= dict.fromkeys(second, first)
    sets = [sorted(one) for i, one in set_of.items() if one[0] == i and len(one) > 2]
    rest = [(i, j) for one in sets for k, i in enumerate(one) for j in one[k + 1 :] if (i, j) not in given]
    there = [pair for pair in rest if _overlap(place[pair[1]] - place[pair[0]], size) >= min_overlap]
    return len(there), sum(pair in others for pair in there)


def _overlap(shift_px: NDArray[np.float64], size: tuple[int, int]) -> float:
    """The share of the frame (columns, rows) that overlaps at a shift (x, y)."""
    return float(np.prod(np.maximum(1 - np.abs(shift_px) / np.array(size), 0)))
