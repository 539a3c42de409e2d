"""The pairs of a window search, chosen as in microduplicate_screener."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryodedup.params import MicrographParams

DECOYS = 10_000
"""Maximum number of pairs with mirrored micrographs that a window search compares."""
MAX_DECOYS_OF_ONE = 20
"""At most this many of them share one mirrored micrograph."""
RUN = 48
"""They are taken from runs of this many consecutive micrographs, which then have most of their partners in common."""


def window_pairs(places: Sequence[int], params: MicrographParams) -> NDArray[np.uint32]:
    """The pairs of a window search, shape (pairs, 2).

    ``places``: the places of the micrographs that can be compared among all micrographs, ascending; a missing micrograph does not shift the
    others. Distances from ``images_per_move`` to ``scan_range`` are compared: those of the screener, from ``images_per_move`` in steps of
    ``images_per_hole``, and the multiples of ``images_per_hole``, at which shots of equal number lie.
    """
    at = np.asarray(places, np.int64)
    found = [np.zeros((0, 2), np.uint32)]
    for distance in window_distances(params, int(at[-1]) + 1 if len(at) else 0):
        second = np.searchsorted(at, at + distance)
        first = np.flatnonzero((second < len(at)) & (at[np.minimum(second, len(at) - 1)] == at + distance))
        found.append(np.stack([first, second[first]], axis=1).astype(np.uint32))
    return np.concatenate(found)


def window_distances(params: MicrographParams, n: int) -> list[int]:
    """Distances, in images, of a window search among ``n`` images."""
    move, hole, reach = params.window
    return [d for d in range(move, min(reach, n - 1) + 1) if (d - move) % hole == 0 or d % hole == 0]


def sampled(pairs: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """At most :data:`DECOYS` of a window's pairs (n, 2): the first micrographs are those of random runs, the same every time."""
    if len(pairs) <= DECOYS:
        return pairs
    run, at = pairs[:, 0] // RUN, pairs[:, 0] % RUN
    turn = np.random.default_rng(0).permutation(int(run.max()) + 1)[run] * RUN + at
    order = np.argsort(turn, kind="stable")
    of_one = np.arange(len(pairs)) - np.searchsorted(turn[order], turn[order])
    chosen = order[of_one < MAX_DECOYS_OF_ONE][:DECOYS]
    return np.ascontiguousarray(pairs[np.sort(chosen)])
