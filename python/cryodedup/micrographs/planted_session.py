"""A separate cache with copies of some prepared micrographs, followed by the planted second exposures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.planting import Planted, Planter
from cryodedup.params import MicrographParams


class PlantedSession:
    """A copy of some prepared micrographs; :class:`cryodedup._core.Session` can load its records.

    Parameters
    ----------
    path
        Path of the copy.
    records
        The prepared micrographs, all of one size.
    """

    def __init__(self, path: Path, records: Sequence[_core.Record], params: MicrographParams) -> None:
        self.size = (records[0].width, records[0].height)
        self._copy = _core.Preparation.open(path, resume=False)
        self._records = [self._copy.copy(record) for record in records]
        loaded = _core.Session.load(self._records, band=params.search_band, threads=params.threads)
        self._signal: NDArray[np.float64] = loaded.signal.astype(float)
        # What all have in common stays where it is, in a second exposure, too.
        mean = np.zeros(self.size[::-1])
        for record in self._records:
            mean += _core.read_pixels(record)
        self._mean: NDArray[np.float64] = mean / len(self._records)

    def records(self, planted: Sequence[Planted], damage: float) -> list[_core.Record]:
        """Writes second exposures that keep a share of the correlation; returns all records, with those of the hosts replaced."""
        records = list(self._records)
        planter = Planter(self.size, self._signal.shape[1], damage)
        self._copy.truncate_after(self._records[-1])
        for one in planted:
            original, host = (_core.read_pixels(self._records[row]) for row in (one.original, one.host))
            original, host = (np.where(image == 0, 0, image - self._mean) for image in (original, host))
            pixels = planter.second_exposure(original, host, one.move, self._signal[one.original])
            pixels = np.where(pixels == 0, 0, pixels + self._mean)
            records[one.host] = self._copy.add_like(pixels, self._records[one.host])
        return records
