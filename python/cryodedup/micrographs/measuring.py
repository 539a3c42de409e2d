"""Pairs of micrographs that show the same area, measured at the full resolution of the reduced images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from cryodedup import _core
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.flips import Orientation, relative
from cryodedup.micrographs.tilt import SAME, Matrix, common, to_matrix
from cryodedup.params import MicrographParams


@dataclass(frozen=True)
class Pair:
    """Two micrographs that show the same area; indices are those of the input.

    Attributes
    ----------
    shift_px
        The shift (x, y), in pixels of the micrograph, that superimposes the second on the first, at the middle of their overlap, once the
        second is rotated by ``rotation_deg`` (from x to y) and magnified by ``scale``.
    shot_agreement
        What the other shots of the two holes say: ``"3 of 4"`` agree, ``"contradicted"``, or, where names do not give holes,
        ``"3 in a row"``.
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
    ordinals
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
    ordinals: Sequence[int]
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


def pair_of(found: _core.Decisions, row: int, of_class: Class, params: MicrographParams) -> Pair:
    """The judged pair at a row, with its measurements."""
    (x, y), overlap, rotation_deg = (
        (float(value) for value in found.shift_reduced_px[row]),
        float(found.overlap[row]),
        float(found.rotation_deg[row]),
    )
    first, second = (int(k) for k in found.pairs[row])
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
        float(found.z[row]),
        float(found.q[row]),
        float(found.ncc[row]),
        float(found.ccc[row]),
        overlap,
        (float(x) * params.bin + 0.0, float(y) * params.bin + 0.0),
        found.shot_agreement[row],
        rotation_deg + 0.0,
        float(found.scale[row]),
        orientation=orientation,
    )
