"""The shots of one pair of holes support each other: if a hole was imaged twice, all of its shots were, moved by about the same.

Only where names tell hole and shot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.acquisition import Acquisition

AGREEING_Z = 3.5
"""A shot agrees with another one of the two holes if it is that significant near the other's shift; by chance it reaches 2 to 3."""
SUPPORTED_Z = 4.0
"""A shot that agrees with a significant one needs no more than this: one place is looked at, not all."""

Floats = NDArray[np.float64]
Look = Callable[[list[int], Floats], tuple[Floats, Floats]]
"""From indices of pairs and shifts (n, 2) to the significances near these shifts, and where exactly."""
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


@dataclass
class Supported:
    """Pairs once the other shots of their holes are heard.

    ``accepted``: which are duplicates; ``words``: ``"3 of 4"`` (shots of the two holes that agree), ``"contradicted"`` (others exist, and
    none agrees) or ``""``; ``z`` and ``shifts`` where a shot was accepted for its agreement.
    """

    accepted: NDArray[np.bool_]
    words: list[str]
    z: Floats
    shifts: Floats


def support(
    pairs: Sequence[Pair], z: Floats, shifts: Floats, significant: NDArray[np.bool_], acquisitions: Sequence[Acquisition], look: Look
) -> Supported:
    """Lets the shots of one pair of holes support each other.

    Parameters
    ----------
    pairs, z, shifts, significant
        Pairs (i, j), their significance, their shifts (n, 2) in reduced pixels, and whether they are significant by themselves.
    look
        Measures pairs near given shifts.
    """
    found = Supported(significant.copy(), [""] * len(pairs), z.copy(), shifts.copy())
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, holes in enumerate(hole_pairs(pairs, acquisitions)):
        if holes is not None:
            groups[holes].append(at)
    for members in groups.values():
        shots = {at: acquisitions[pairs[at][0]].shot for at in members}
        unheard = sorted((at for at in members if significant[at]), key=lambda at: -z[at])
        while unheard:  # a hole that was imaged three times has several leads
            lead = unheard[0]
            # Exposures of the same two holes may be named in either order.
            turned = np.array([acquisitions[pairs[at][0]].hole != acquisitions[pairs[lead][0]].hole for at in members])
            expected = np.where(turned[:, None], -1.0, 1.0) * shifts[lead]
            near_z, near_shifts = look(members, expected)
            agreeing = {at: k for k, at in enumerate(members) if at == lead or near_z[k] >= AGREEING_Z}
            number = len({shots[at] for at in agreeing})
            total = len(set(shots.values()))
            for at, k in agreeing.items():
                if not found.accepted[at] and near_z[k] >= SUPPORTED_Z:
                    found.accepted[at], found.z[at], found.shifts[at] = True, near_z[k], near_shifts[k]
                if found.accepted[at] and total > 1:
                    found.words[at] = f"{number} of {total}" if number > 1 else "contradicted"
            unheard = [at for at in unheard if at not in agreeing]
    return found
