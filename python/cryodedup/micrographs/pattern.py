"""The shots of one pair of holes support each other: if a hole was imaged twice, all of its shots were, moved by about the same.

Names tell hole and shot. Where they do not, shots that follow each other in both visits do: those of i and j, i + 1 and j + 1, and so on.
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
SUPPORTED_IN_A_ROW_Z = 4.5
"""Where names do not tell the shots of a hole: those before and after them are heard, too."""

POOLED_Z = (5.5, SUPPORTED_Z)
"""A pair that is not significant by itself is, if one other agrees that well, or two do this well."""
REACH = 3
"""Where names do not tell the shots of a hole, so many on either side of a pair are heard."""

Floats = NDArray[np.float64]
Look = Callable[[list[int], Floats], tuple[Floats, Floats]]
"""From indices of pairs and shifts (n, 2) to the significances near these shifts, and where exactly."""
Pair = tuple[int, int]


def partners(pairs: Iterable[Pair], acquisitions: Sequence[Acquisition]) -> list[Pair]:
    """All pairs of equal shots of the holes that given pairs are of, and of those beside them in both visits."""
    by_hole: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, known in enumerate(acquisitions):
        if known.hole and known.shot:
            by_hole[known.hole][known.shot].append(i)
    found: set[Pair] = set()
    for i, j in pairs:
        first, second = acquisitions[i], acquisitions[j]
        if hole_pair((i, j), acquisitions) is None:
            found.update(beside((i, j), len(acquisitions)))
            continue
        for shot, ones in by_hole[first.hole].items():
            found.update((min(a, b), max(a, b)) for a in ones for b in by_hole[second.hole].get(shot, ()) if a != b)
    return sorted(found)


def hole_pair(pair: Pair, acquisitions: Sequence[Acquisition]) -> tuple[str, str] | None:
    """The two holes of a pair, if they are known and the shot is the same."""
    first, second = (acquisitions[i] for i in pair)
    known = first.hole and second.hole and first.shot and first.shot == second.shot
    return (min(first.hole, second.hole), max(first.hole, second.hole)) if known else None


def beside(pair: Pair, n: int) -> list[Pair]:
    """The pairs of the micrographs before and after both of a pair, in the order of exposure."""
    i, j = pair
    return [(i + k, j + k) for k in range(-REACH, REACH + 1) if k and 0 <= min(i, j) + k and max(i, j) + k < n]


@dataclass
class Supported:
    """Pairs once the other shots of their holes are heard.

    ``accepted``: which are duplicates; ``words``: ``"3 of 4"`` (shots of the two holes that agree), ``"contradicted"`` (others exist, and
    none agrees), ``"3 in a row"`` where names do not tell holes, or ``""``; ``z`` and ``shifts`` where a shot was accepted for its
    agreement.
    """

    accepted: NDArray[np.bool_]
    words: list[str]
    z: Floats
    shifts: Floats


def support(
    pairs: Sequence[Pair],
    z: Floats,
    shifts: Floats,
    significant: NDArray[np.bool_],
    doubtful: NDArray[np.bool_],
    acquisitions: Sequence[Acquisition],
    look: Look,
) -> Supported:
    """Lets the shots of one pair of holes support each other.

    Parameters
    ----------
    pairs, z, shifts, significant, doubtful
        Pairs (i, j) of micrographs in the order of exposure, their significance, their shifts (n, 2) in reduced pixels, whether they are
        significant by themselves, and whether they are, if others agree.
    look
        Measures pairs near given shifts.
    """
    found = Supported(significant.copy(), [""] * len(pairs), z.copy(), shifts.copy())
    holes = [hole_pair(pair, acquisitions) for pair in pairs]
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, of in enumerate(holes):
        if of is not None:
            groups[of].append(at)
    row_of = {pair: at for at, pair in enumerate(pairs)}
    heard: set[int] = set()
    for lead in sorted(np.flatnonzero(significant | doubtful).tolist(), key=lambda at: -z[at]):
        of = holes[lead]
        if of is not None and lead in heard:  # a hole that was imaged three times has several leads
            continue
        in_row = [row_of[pair] for pair in beside(pairs[lead], len(acquisitions)) if pair in row_of]
        members = groups[of] if of is not None else [lead, *(at for at in in_row if holes[at] is None)]
        # Exposures of the same two holes may be named in either order.
        turned = np.array([of is not None and acquisitions[pairs[at][0]].hole != acquisitions[pairs[lead][0]].hole for at in members])
        near_z, near_shifts = look(members, np.where(turned[:, None], -1.0, 1.0) * shifts[lead])
        agreeing = {at: k for k, at in enumerate(members) if at == lead or near_z[k] >= AGREEING_Z}
        others = sorted((near_z[k] for at, k in agreeing.items() if at != lead), reverse=True)
        if not significant[lead]:
            if not any(len(others) > k and others[k] >= least for k, least in enumerate(POOLED_Z)):
                continue
            found.accepted[lead] = True
        number = len({acquisitions[pairs[at][0]].shot or at for at in agreeing})
        total = len({acquisitions[pairs[at][0]].shot or at for at in members})
        for at, k in agreeing.items():
            if not found.accepted[at] and near_z[k] >= (SUPPORTED_Z if of is not None else SUPPORTED_IN_A_ROW_Z):
                found.accepted[at], found.z[at], found.shifts[at] = True, near_z[k], near_shifts[k]
            if found.accepted[at] and total > 1 and of is not None:
                found.words[at] = f"{number} of {total}" if number > 1 else "contradicted"
            elif found.accepted[at] and number > 1 and (at == lead or not found.words[at]):
                found.words[at] = f"{number} in a row"
        heard.update(agreeing)
    return found
