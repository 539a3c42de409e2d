"""Lists of numbers of different lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.places import Floats

Starts: TypeAlias = NDArray[np.int64] | NDArray[np.uint64]


@dataclass(frozen=True)
class Ragged:
    """Concatenated lists: list k is ``values[starts[k] : starts[k + 1]]``; ``starts`` has one more element than there are lists."""

    values: Floats
    starts: Starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, k: int) -> Floats:
        return self.values[int(self.starts[k]) : int(self.starts[k + 1])]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each list, (n,)."""
        starts = np.asarray(self.starts, np.int64)
        lengths: NDArray[np.int64] = starts[1:] - starts[:-1]
        return lengths

    def of(self, which: NDArray[np.intp]) -> Ragged:
        """A selection of the lists, by index."""
        several = [self[int(k)] for k in which]
        return Ragged(np.concatenate([np.zeros(0), *several]), np.cumsum([0, *map(len, several)]))

    def without(self, left_out: NDArray[np.bool_]) -> Ragged:
        """The lists without some of their values; ``left_out``: as ``values``."""
        before = np.append(0, np.cumsum(~left_out))
        return Ragged(self.values[~left_out], before[np.asarray(self.starts, np.int64)])

    def quantiles(self, shares: Sequence[float]) -> Floats:
        """Quantiles of each list, (n, shares), by linear interpolation; NaN for an empty one."""
        found = np.full((len(self), len(shares)), np.nan)
        for rows, matrix in self._by_length():
            found[rows] = np.quantile(matrix, shares, axis=1).T
        return found

    def sums_of_largest(self, number: int) -> Floats:
        """The sum of the given number of largest values of each list, or of all if it has fewer; (n,)."""
        found = np.zeros(len(self))
        for rows, matrix in self._by_length():
            found[rows] = np.sort(matrix, axis=1)[:, ::-1][:, :number].sum(axis=1)
        return found

    def _by_length(self) -> list[tuple[NDArray[np.intp], Floats]]:
        """The non-empty lists of each length as a matrix, with their indices."""
        lengths = self.lengths
        several = []
        for length in sorted(set(lengths.tolist()) - {0}):
            rows = np.flatnonzero(lengths == length)
            several.append((rows, self.values[np.asarray(self.starts, np.int64)[rows, None] + np.arange(length)]))
        return several
