"""Pairs that match at exactly zero shift: duplicates, or frames that share a pattern of the camera.

A few frames with another gain reference than the rest, or none, keep a pattern in common. It makes a match as significant as any, at zero
shift. Second visits hardly ever hit a place to a quarter of a pixel; exposures that follow each other without a move of the stage do, but
then there are many of them, each of another area, most of which moved by a fraction of a pixel. So such pairs count only where pairs that
hardly moved form several sets, and frames of different sets do not match at zero shift.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryodedup.components import connected_components
from cryodedup.micrographs.places import Places
from cryodedup.micrographs.shot_agreement import MeasureNear

EXACT_PX = 0.25
"""Up to this shift along both axes, in reduced pixels, a match is at zero: patterns of simulated sessions match at up to 0.13."""
CLOSE_PX = 2.0
"""Exposures that follow each other without a move of the stage are shifted by no more than this."""
MIN_SETS = 4
"""So many separate sets of them are no patterns: as many gain references, each of a few frames, are not used in one session."""
IN_COMMON_Z = 3.0
"""If the median significance near zero shift between sets is above this (2.1 in noise), all share one pattern."""
CROSS_PAIRS = 200
"""Number of pairs of frames of different sets that are measured."""


def of_one_pattern(places: Places, measure_near: MeasureNear) -> NDArray[np.bool_]:
    """Which of the accepted pairs are due to a pattern, not to a scene; bool (n,).

    Parameters
    ----------
    places
        The accepted pairs.
    measure_near
        Measures pairs near given shifts.
    """
    exact: NDArray[np.bool_] = np.all(places.shift_px == 0, axis=1)
    if exact.any():
        _, shift_px = measure_near(_unmoved(places.pairs[exact]))
        exact[exact] = np.all(np.abs(shift_px) <= EXACT_PX, axis=1)
    # Two frames that other pairs connect, which did move, show one scene.
    set_of = {i: number for number, one in enumerate(connected_components(_edges(places.pairs[~exact]))) for i in one}
    exact[exact] = [i not in set_of or set_of[i] != set_of.get(j) for i, j in _edges(places.pairs[exact])]
    sets = connected_components(_edges(places.pairs[np.all(np.abs(places.shift_px) <= CLOSE_PX, axis=1)]))
    if exact.any() and len(sets) >= MIN_SETS:
        z, _ = measure_near(_unmoved(_across(sets)))
        exact &= bool(np.median(z) > IN_COMMON_Z)
    return exact


def _edges(pairs: NDArray[np.uint32]) -> list[tuple[int, int]]:
    return [(int(i), int(j)) for i, j in pairs]


def _across(sets: Sequence[Sequence[int]]) -> NDArray[np.uint32]:
    """Pairs of frames of different sets, at most :data:`CROSS_PAIRS`, evenly among all."""
    pairs = [(i, j) for k, one in enumerate(sets) for other in sets[k + 1 :] for i, j in zip(one, other, strict=False)]
    chosen = pairs[:: -(-len(pairs) // CROSS_PAIRS)]
    return np.sort(np.array(chosen, np.uint32).reshape(-1, 2), axis=1)


def _unmoved(pairs: NDArray[np.uint32]) -> Places:
    return Places(np.ascontiguousarray(pairs), np.zeros((len(pairs), 2)), np.zeros(len(pairs)))
