"""Micrographs of one size, each of which is compared with all earlier ones when it comes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cryodedup import _core
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.compare import Criteria
from cryodedup.micrographs.measuring import Class, Pair, pair_of
from cryodedup.params import MicrographParams

FIRST = _core.FIRST_COMPARED


class Collection:
    """The micrographs of one size; ``state``: what an earlier run gathered of the first ones, which are given."""

    def __init__(
        self,
        params: MicrographParams,
        records: Sequence[_core.Record] = (),
        acquisitions: Sequence[Acquisition] = (),
        state: bytes | None = None,
    ) -> None:
        self._params = params
        self._records, self.acquisitions = list(records), list(acquisitions)
        self._core = _core.Collection(
            self._records, state, band=params.search_band, max_shift_reduced_px=params.max_shift_reduced_px, threads=params.threads
        )

    @property
    def covered(self) -> int:
        """Number of micrographs that were compared with all earlier ones."""
        return self._core.covered

    @property
    def state(self) -> bytes:
        """What was gathered of them, for a later run."""
        return self._core.state

    def add(self, record: _core.Record, acquisition: Acquisition) -> list[Pair]:
        """Compares a new micrograph with all earlier ones; returns new duplicates, by their numbers in this collection."""
        self._records.append(record)
        self.acquisitions.append(acquisition)
        return self.duplicates(self._core.add(record, threads=self._params.threads))

    def duplicates(self, start: int = 0) -> list[Pair]:
        """The duplicates among the pairs whose second micrograph is at ``start`` or later."""
        asked = Criteria.of(self.acquisitions, self._params, first=start)
        found = self._core.conclude(asked=asked, threads=self._params.threads)
        if found is None:
            return []
        everything = range(len(self._records))
        of_class = Class(members=everything, records=self._records, ordinals=everything, acquisitions=self.acquisitions, maps=())
        return [pair_of(found, int(row), of_class, self._params) for row in np.flatnonzero(found.accepted)]
