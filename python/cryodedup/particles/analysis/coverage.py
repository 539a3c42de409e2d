"""Which inputs cover which micrographs: only these can find or miss a particle there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.params import ParticleParams
from cryodedup.particles.inputs.identity import same_as
from cryodedup.particles.inputs.micrograph_table import MicrographTable
from cryodedup.particles.inputs.picks import Picks


@dataclass(frozen=True)
class Coverage:
    """``covered``: bool (inputs, micrographs), whether an input looked for particles in a micrograph."""

    covered: NDArray[np.bool_]

    def counts(self) -> NDArray[np.int64]:
        """By how many inputs each micrograph is covered, int64 (micrographs,)."""
        return np.asarray(self.covered.sum(axis=0, dtype=np.int64))

    def needed(self, params: ParticleParams) -> NDArray[np.int64]:
        """How many inputs have to have found a particle in each micrograph, int64 (micrographs,)."""
        if params.votes_where == "all":
            return np.full(self.covered.shape[1], params.min_votes)
        return np.minimum(self.counts(), params.min_votes)

    def alike(self) -> NDArray[np.int64]:
        """For each micrograph the number of its kind, int64 (micrographs,): those that the same inputs cover."""
        kinds: NDArray[np.int64] = np.unique(self.covered, axis=1, return_inverse=True)[1].reshape(-1)
        return kinds


def coverage_of(picks: Sequence[Picks], numbers: Sequence[Sequence[int]], count: int, table: MicrographTable | None) -> Coverage:
    """From the micrographs that each input has picks, or an empty file of picks, for; every input covers those of ``--micrographs``."""
    covered = np.zeros((len(picks), count), bool)
    for row, mine in zip(covered, numbers, strict=True):
        row[list(mine)] = True
    if table is not None:
        for pick, mine in zip(picks, numbers, strict=True):
            places = same_as(pick.label, pick.micrographs, str(table.path), table.micrographs)
            covered[:, [number for number, place in zip(mine, places, strict=True) if place is not None]] = True
    return Coverage(covered)
