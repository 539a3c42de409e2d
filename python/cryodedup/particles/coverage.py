"""Which inputs cover which micrographs: only these inputs can find or miss a particle there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.params import ParticleParams


@dataclass(frozen=True)
class Coverage:
    """``covered``: bool (inputs, micrographs), whether an input was searched for particles in a micrograph."""

    covered: NDArray[np.bool_]

    def counts(self) -> NDArray[np.int64]:
        """Number of inputs that cover each micrograph, int64 (micrographs,)."""
        return np.asarray(self.covered.sum(axis=0, dtype=np.int64))

    def needed(self, params: ParticleParams) -> NDArray[np.int64]:
        """Number of inputs that must have found a particle, for each micrograph, int64 (micrographs,)."""
        if params.votes_where == "all":
            return np.full(self.covered.shape[1], params.min_votes)
        return np.minimum(self.counts(), params.min_votes)

    def alike(self) -> NDArray[np.int64]:
        """A number for each micrograph, int64 (micrographs,), equal for those that the same inputs cover."""
        kinds: NDArray[np.int64] = np.unique(self.covered, axis=1, return_inverse=True)[1].reshape(-1)
        return kinds


def coverage_of(numbers: Sequence[Sequence[int]], count: int, rows: Sequence[Sequence[int | None]]) -> Coverage:
    """Coverage from the micrographs for which each input has picks, or an empty file of picks; all inputs cover those of ``--micrographs``.

    Parameters
    ----------
    numbers, rows
        For each input the numbers of its micrographs, and their rows in the table of ``--micrographs``, None if they have none.
    """
    covered = np.zeros((len(numbers), count), bool)
    for row, mine, places in zip(covered, numbers, rows, strict=True):
        row[list(mine)] = True
        covered[:, [number for number, place in zip(mine, places, strict=True) if place is not None]] = True
    return Coverage(covered)
