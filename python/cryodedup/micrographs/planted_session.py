"""Some prepared micrographs in a file of their own, and second exposures behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.planting import Planted, Planter
from cryodedup.micrographs.reading import Record
from cryodedup.micrographs.significance import Floats
from cryodedup.params import MicrographParams

UNITS_A_SD = 3276.0
"""Int16 units a standard deviation in the file of prepared micrographs."""


class PlantedSession:
    """A copy of some prepared micrographs, whose records :class:`cryodedup._core.Session` loads.

    Parameters
    ----------
    cache, records
        Where the micrographs are, all of one size.
    path
        Of the copy.
    """

    def __init__(self, cache: Path, path: Path, records: Sequence[Record], params: MicrographParams) -> None:
        self.path = path
        self.size = (records[0][1], records[0][2])
        self._bytes = 2 * self.size[0] * self.size[1]
        self._records: list[Record] = [(k * self._bytes, *record[1:]) for k, record in enumerate(records)]
        with cache.open("rb") as source, path.open("wb") as copy:
            for record in records:
                source.seek(record[0])
                copy.write(source.read(self._bytes))
        loaded = _core.Session.load(path, list(self._records), band=params.search_band, threads=params.threads)
        self._signal: Floats = loaded.signal.astype(float)

    def records(self, planted: Sequence[Planted]) -> list[Record]:
        """The records of all micrographs, those of hosts replaced by second exposures, which are written now."""
        records, end = list(self._records), len(self._records) * self._bytes
        planter = Planter(self.size, self._signal.shape[1])
        with self.path.open("r+b") as file:
            file.seek(end)
            for one in planted:
                pixels = planter.second_exposure(self._pixels(one.original), self._pixels(one.host), one.move, self._signal[one.original])
                units, records[one.host] = _stored(pixels, self._records[one.host], end)
                file.write(units.tobytes())
                end += self._bytes
        return records

    def _pixels(self, row: int) -> Floats:
        """Shape (height, width), in standard deviations."""
        width, height = self.size
        units = np.fromfile(self.path, "<i2", count=width * height, offset=self._records[row][0])
        return units.reshape(height, width) / UNITS_A_SD


def _stored(pixels: Floats, host: Record, at: int) -> tuple[NDArray[np.int16], Record]:
    """Pixels, in standard deviations of the host, as they are stored, and their record for a place in the file."""
    sd = float(pixels.std())
    units = np.clip(np.rint(pixels * (UNITS_A_SD / max(sd, 1e-6))), -32767, 32767).astype("<i2")
    return units, (at, host[1], host[2], host[3] * sd, *host[4:])
