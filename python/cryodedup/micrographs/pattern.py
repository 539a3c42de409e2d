"""The shots of one pair of holes support each other: if a hole was imaged twice, all of its shots were, moved by about the same.

Only where names tell hole and shot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.acquisition import Acquisition

AGREEING = 0.04
"""Shifts of two shots agree if they differ by less than this share of the frame's diagonal."""
SUPPORTED_Z = 4.0
"""A shot whose shift agrees with that of a significant one of the same two holes needs no more: one place is looked at, not all."""

Pair = tuple[int, int]


def partners(pairs: Iterable[Pair], acquisitions: Sequence[Acquisition]) -> list[Pair]:
    """All pairs of equal shots of the holes that given pairs (significant ones) are of."""
    by_hole: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, known in enumerate(acquisitions):
        if known.hole and known.shot:
            by_hole[known.hole][known.shot].append(i)
    found: set[Pair] = set()
    for i, j in pairs:
        first, second = acquisitions[i], acquisitions[j]
        if not (first.hole and first.shot == second.shot):
            continue
        for shot, ones in by_hole[first.hole].items():
            found.update((min(a, b), max(a, b)) for a in ones for b in by_hole[second.hole].get(shot, ()) if a != b)
    return sorted(found)


def hole_pairs(pairs: Sequence[Pair], acquisitions: Sequence[Acquisition]) -> list[tuple[str, str] | None]:
    """For each pair its two holes, if they are known and the shot is the same."""
    found: list[tuple[str, str] | None] = []
    for i, j in pairs:
        first, second = acquisitions[i], acquisitions[j]
        holes = (min(first.hole, second.hole), max(first.hole, second.hole))
        found.append(holes if first.hole and second.hole and first.shot and first.shot == second.shot else None)
    return found


def support(
    pairs: Sequence[Pair],
    z: NDArray[np.float64],
    shifts: NDArray[np.float64],
    significant: NDArray[np.bool_],
    acquisitions: Sequence[Acquisition],
    diagonal: float,
    least_z: float,
) -> tuple[NDArray[np.bool_], list[str]]:
    """Which pairs are duplicates once the other shots of their holes are heard, and for each pair what these say.

    Parameters
    ----------
    pairs, z, shifts, significant
        Pairs (i, j), their significance, their shifts (n, 2) in reduced pixels, and whether they are significant by themselves.
    diagonal
        Of the frame, reduced pixels.
    least_z
        From where pairs are significant.

    Returns
    -------
    The mask, and ``"3 of 4"`` (shots of the two holes that agree), ``"contradicted"`` (others exist, and none agrees) or ``""``. Where none
    agrees, a pair has to be as significant as all of them together would be: by the root of their number.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, holes in enumerate(hole_pairs(pairs, acquisitions)):
        if holes is not None:
            groups[holes].append(at)
    accepted, words = significant.copy(), [""] * len(pairs)
    for members in groups.values():
        lead = max((at for at in members if significant[at]), key=lambda at: z[at], default=None)
        if lead is None:
            continue
        # Exposures of the same two holes may be named in either order.
        turned = {at: acquisitions[pairs[at][0]].hole != acquisitions[pairs[lead][0]].hole for at in members}
        apart = {at: float(np.hypot(*((-shifts[at] if turned[at] else shifts[at]) - shifts[lead]))) for at in members}
        agreeing = [at for at in members if apart[at] <= AGREEING * diagonal and z[at] >= SUPPORTED_Z]
        for at in agreeing:
            accepted[at] = True
        for at in members:
            if not accepted[at] or len(members) == 1:
                continue
            if at not in agreeing or len(agreeing) == 1:
                accepted[at] = z[at] >= least_z * np.sqrt(len(members))
                words[at] = "contradicted"
            else:
                words[at] = f"{len(agreeing)} of {len(members)}"
    return accepted, words
