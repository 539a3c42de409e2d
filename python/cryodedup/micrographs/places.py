"""Pairs of micrographs, each with a shift and a rotation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Places:
    """Pairs, each with a shift and a rotation.

    Attributes
    ----------
    pairs
        uint32 (n, 2): the two micrographs, numbered in the order of exposure.
    shift_px
        float64 (n, 2): the shift (x, y), in reduced pixels, that superimposes the second on the first.
    turn_deg
        float64 (n,): the rotation of the first, degrees from x to y.
    """

    pairs: NDArray[np.uint32]
    shift_px: Floats
    turn_deg: Floats

    def __len__(self) -> int:
        return len(self.pairs)

    def of(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Places:
        """A selection of the pairs, by index or mask."""
        return Places(self.pairs[rows], self.shift_px[rows], self.turn_deg[rows])

    def within(self, size: tuple[int, int], share: float) -> NDArray[np.bool_]:
        """Bool (n,): which shifts are less than a share of the frame (columns, rows) along both axes."""
        inside: NDArray[np.bool_] = np.all(np.abs(self.shift_px) < share * np.array(size), axis=1)
        return inside

    def overlap(self, size: tuple[int, int]) -> Floats:
        """float64 (n,): the share of the frame (columns, rows) that overlaps at each shift."""
        return overlap_at(self.shift_px, size)


def overlap_at(shift_px: Floats, size: tuple[int, int]) -> Floats:
    """The share of the frame (columns, rows) that overlaps at each shift (x, y)."""
    share: Floats = np.prod(np.maximum(1 - np.abs(shift_px) / np.array(size), 0), axis=-1)
    return share


def of_one_area(pairs: NDArray[np.uint32], areas: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Bool (n,): which pairs are known to show one area; ``areas``: the number of each micrograph's, 0 if it is not known."""
    first, second = areas[pairs[:, 0]], areas[pairs[:, 1]]
    same: NDArray[np.bool_] = (first == second) & (first > 0)
    return same
