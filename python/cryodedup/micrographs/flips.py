"""Micrographs that are stored in different orientations, as two programs' conventions have it: flipped, or turned by a right angle.

Pairs with a mirrored micrograph, which are compared for the null distribution, show that there are such micrographs. With
``search_flips`` every pair is compared in all orientations: eight of square frames, four of others. The pairs that are significant in one
give the orientation of each micrograph relative to the others, in which the session is then searched like any other. Orientation is a
property of a file, not of a pair.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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


def number_of_orientations(size: tuple[int, int]) -> int:
    """In how many orientations frames of so many columns and rows may be stored."""
    return 8 if size[0] == size[1] else 4


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
