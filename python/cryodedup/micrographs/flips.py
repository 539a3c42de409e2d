"""Micrographs that are stored in different orientations, as two programs' conventions have it: flipped, or turned by a right angle.

Pairs with a mirrored micrograph, which are compared for the null distribution, show that there are such micrographs
(:func:`mirrored_copies`). With ``search_flips`` every pair is compared in all orientations: eight of square frames, four of others. The
pairs that are significant in one give the orientation of each micrograph relative to the others (:func:`orientations_of`), in which the
session is then searched like any other. Orientation is a property of a file, not of a pair.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.judging import Best, Found
from cryodedup.micrographs.significance import Null, q_values

Matrix = NDArray[np.float64]
Orientation = tuple[tuple[int, int], tuple[int, int]]
"""What is stored at a place p (x, y) from the middle of a frame shows, in the usual orientation, what lies at this matrix times p."""
AS_STORED: Orientation = ((1, 0), (0, 1))
ORIENTATIONS: tuple[Orientation, ...] = (
    AS_STORED,
    ((-1, 0), (0, 1)),
    ((1, 0), (0, -1)),
    ((-1, 0), (0, -1)),
    ((0, 1), (1, 0)),
    ((0, 1), (-1, 0)),
    ((0, -1), (1, 0)),
    ((0, -1), (-1, 0)),
)
"""By number: the sum of 1 (flipped in x), 2 (flipped in y) and 4 (before that, columns and rows exchanged)."""
WORDS = dict(
    zip(
        ORIENTATIONS,
        (
            "",
            "flipped in x",
            "flipped in y",
            "turned by 180",
            "transposed",
            "turned by 90",
            "turned by 270",
            "transposed and turned by 180",
        ),
        strict=True,
    )
)
"""How the second micrograph has to be changed to match the first; angles in degrees, from x to y."""
SURE_Q = 1e-4
"""Up to this false-discovery rate a pair shows an orientation."""


def number_of_orientations(size: tuple[int, int]) -> int:
    """In how many orientations frames of so many columns and rows may be stored."""
    return 8 if size[0] == size[1] else 4


def mirrored_copies(mirrored: Best, tested: int, null: Null, size: tuple[int, int]) -> NDArray[np.intp]:
    """Which pairs with a mirrored micrograph are significant: these micrographs are stored in two orientations; the best first.

    Every pair is compared in one of the orientations only: flipped in y, flipped in x or turned by 180 degrees.
    """
    found = Found.of(mirrored, null, size)
    sure = np.flatnonzero((q_values(found.chance, tested) <= SURE_Q) & np.any(found.places.shift_px != 0, axis=1))
    return sure[np.argsort(-found.z[sure], kind="stable")]


def orientations_of(found: Iterable[tuple[int, Found]], tested: int) -> dict[int, Orientation]:
    """The orientation of each micrograph relative to the others that it matches, where it is not as stored.

    Parameters
    ----------
    found
        The number of an orientation of the first of each pair, and the pairs as they were found in it.
    tested
        How many pairs there were in all orientations.
    """
    several = list(found)
    chance = np.concatenate([one.chance for _, one in several])
    number = np.repeat([number for number, _ in several], [len(one.z) for _, one in several])
    pairs = np.concatenate([one.places.pairs for _, one in several])
    sure = np.flatnonzero(q_values(chance, tested) <= SURE_Q)
    sure = sure[np.lexsort((number[sure], chance[sure]))]
    # Of each set of micrographs the orientations relative to each other. Pairs that contradict them are less sure.
    sets: dict[int, dict[int, Matrix]] = {i: {i: np.eye(2)} for i in np.unique(pairs[sure]).tolist()}
    for (i, j), which in zip(pairs[sure].tolist(), number[sure].tolist(), strict=True):
        first, second = sets[i], sets[j]
        if first is not second:
            # The first, stored in that orientation, matches the second.
            change = np.linalg.inv(np.array(ORIENTATIONS[which]) @ second[j]) @ first[i]
            first |= {member: matrix @ change for member, matrix in second.items()}
            sets |= dict.fromkeys(second, first)
    turned = {i: _tuple(one[i] @ np.linalg.inv(one[min(one)])) for i, one in sets.items()}
    return {i: orientation for i, orientation in turned.items() if orientation != AS_STORED}


def relative(first: Orientation, second: Orientation) -> tuple[str, Matrix]:
    """How the second micrograph of a pair has to be changed to match the first, in words (empty if not at all) and as a matrix."""
    change = np.array(second) @ np.linalg.inv(first)
    return WORDS[_tuple(change)], change


def of_decoy(first: int) -> str:
    """How a pair with a mirrored micrograph was compared, in words; ``first``: the number of the mirrored one."""
    return WORDS[ORIENTATIONS[(2, 1, 2, 3)[first % 4]]]


def _tuple(matrix: Matrix) -> Orientation:
    (a, b), (c, d) = matrix.round().astype(int).tolist()
    return ((a, b), (c, d))
