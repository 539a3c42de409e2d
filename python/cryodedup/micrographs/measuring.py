"""Pairs of micrographs that show the same area, measured at the full resolution of the reduced images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.flips import Orientation, relative
from cryodedup.micrographs.judging import Judged
from cryodedup.micrographs.places import Floats, Places
from cryodedup.micrographs.tilt import SAME, Matrix, common, to_matrix
from cryodedup.params import MicrographParams
from cryodedup.progress import Progress


@dataclass(frozen=True)
class Pair:
    """Two micrographs that show the same area; indices are those of the input.

    Attributes
    ----------
    shift_px
        The shift (x, y), in pixels of the micrograph, that superimposes the second on the first, at the middle of their overlap, once the
        second is rotated by ``rotation_deg`` (from x to y) and magnified by ``scale``.
    shot_agreement
        The agreement of the other shots of the two holes: see :meth:`cryodedup.micrographs.shot_agreement.Opinion.words`.
    set
        The number of the set of duplicates, from 1; 0: the pair shares too little.
    orientation
        How the second has to be changed before it is rotated, where they are stored in two orientations: ``flipped in x``, ...
    """

    first: int
    second: int
    z: float
    q: float
    ncc: float
    ccc: float
    overlap: float
    shift_px: tuple[float, float]
    shot_agreement: str = ""
    rotation_deg: float = 0.0
    scale: float = 1.0
    set: int = 0
    orientation: str = ""


@dataclass(frozen=True, kw_only=True)
class Class:
    """Micrographs that are compared with each other, of one size and pixel size, in the order of exposure.

    Attributes
    ----------
    members
        Their indices in the input.
    records
        Their prepared images in the cache.
    places
        The place of each in the order of exposure of all micrographs.
    acquisitions
        Metadata of each.
    maps
        The matrix that resamples each to the stage tilt of the others; empty if all have the same tilt.
    orientations
        How each is stored, as :mod:`cryodedup.micrographs.flips` has it; empty if all are alike.
    """

    members: Sequence[int]
    records: Sequence[_core.Record]
    places: Sequence[int]
    acquisitions: Sequence[Acquisition]
    maps: Sequence[Matrix] = ()
    orientations: Sequence[Orientation] = ()

    @property
    def seen_as(self) -> list[Matrix]:
        """The matrix by which each is seen, of its tilt and its orientation; an empty list if all are seen as they are."""
        if not self.orientations:
            return list(self.maps)
        return [to_matrix(np.array(tilt) @ stored) for tilt, stored in zip(self.maps or repeat(SAME), self.orientations, strict=False)]

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the reduced micrographs."""
        return (self.records[0].width, self.records[0].height)

    @property
    def every(self) -> int:
        """Number of all pairs of these micrographs."""
        return len(self.records) * (len(self.records) - 1) // 2


@dataclass(frozen=True)
class Measured:
    """Measurements of some judged pairs at the full reduced resolution; ``row``: for each judged pair its row in ``found``, or -1."""

    found: _core.Confirmed
    row: NDArray[np.intp]

    @property
    def ccc(self) -> Floats:
        return self.found.ccc


def measure(session: _core.Session, decided: Judged, params: MicrographParams, progress: Progress) -> Measured:
    """Measures the accepted pairs, or all pairs of a window search."""
    wanted = np.arange(len(decided.places)) if params.search == "window" else np.flatnonzero(decided.accepted)
    places = _with_exact_still_ones(session, decided.places.of(wanted), params.threads)
    progress.stage("measuring", len(wanted))
    found = session.confirm(places, band=params.band, threads=params.threads, progress=progress.advance_to)
    row = np.full(len(decided.places), -1)
    row[wanted] = np.arange(len(wanted))
    return Measured(found, row)


def _with_exact_still_ones(session: _core.Session, places: Places, threads: int) -> Places:
    """Replaces zero shifts, which stand for all shifts of about a pixel, by the exact ones."""
    still = np.flatnonzero(np.all(places.shift_px == 0, axis=1))
    shift_px = places.shift_px.copy()
    shift_px[still] = session.find_near(places.of(still), threads=threads).shift_px
    return replace(places, shift_px=shift_px)


def pair_of(decided: Judged, at: int, measured: Measured, of_class: Class, params: MicrographParams) -> Pair:
    """The judged pair at a row, with its measurements."""
    row, found = measured.row[at], measured.found
    (x, y), overlap, rotation_deg = (
        (float(value) for value in found.shift_px[row]),
        float(found.overlap[row]),
        float(found.rotation_deg[row]),
    )
    first, second = (int(k) for k in decided.places.pairs[at])
    orientation, tilts = "", of_class.maps and (of_class.maps[first], of_class.maps[second])
    if of_class.orientations:
        stored = of_class.orientations[first]
        orientation, change = relative(stored, of_class.orientations[second])
        (x, y), rotation_deg = np.array(stored) @ (x, y), rotation_deg * float(np.linalg.det(stored))
        tilts = tilts and (tilts[0], to_matrix(np.linalg.inv(change) @ tilts[1] @ change))
    if tilts:
        (x, y), overlap = common(of_class.size, (x, y), *tilts)
    return Pair(
        of_class.members[first],
        of_class.members[second],
        float(decided.z[at]),
        float(decided.q[at]),
        float(found.ncc[row]),
        float(found.ccc[row]),
        overlap,
        (float(x) * params.bin + 0.0, float(y) * params.bin + 0.0),
        decided.words[at],
        rotation_deg + 0.0,
        float(found.scale[row]),
        orientation=orientation,
    )


def window_ccc(pairs: NDArray[np.uint32], measured: Measured, of_class: Class) -> list[tuple[int, int, float]]:
    """The two micrographs of every pair of a window search, by their indices in the input, and the ccc."""
    first, second = np.asarray(of_class.members)[pairs.T.astype(np.intp)] if len(pairs) else np.zeros((2, 0), int)
    return list(zip(first.tolist(), second.tolist(), measured.ccc[measured.row[: len(pairs)]].tolist(), strict=True))
