"""Visits at different stage tilts: each shows the specimen foreshortened across the tilt axis, by the cosine of its tilt.

Before they are compared, micrographs of another tilt than the usual one are resampled to its foreshortening. Particles are still seen from
another direction, so pairs far apart in tilt correlate less.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.names import named
from cryodedup.text import count

Floats = NDArray[np.float64]

Matrix = tuple[tuple[float, float], tuple[float, float]]
SAME: Matrix = ((1.0, 0.0), (0.0, 1.0))
MIN_DIFFERENCE = 0.005
"""Micrographs whose foreshortening differs from the usual one by no more than this share are left as they are."""
_SAMPLES = 64
_SAME_AXIS_DEG = 5.0
"""There is a warning if the user's axis differs from that of the metadata by more."""


@dataclass(frozen=True)
class Tilts:
    """How micrographs are resampled to one foreshortening.

    Attributes
    ----------
    maps
        For each micrograph of another tilt than the usual one, by its index: the matrix that takes a position in the image that is compared
        to its position in the micrograph, both counted from the middle.
    usual_deg
        The most common tilt, degrees, without its sign.
    axis_deg
        The angle of the tilt axis, degrees counterclockwise from the y axis.
    unmapped
        Number of micrographs of another tilt that are compared as they are, since the axis is not known.
    unknown
        Number of micrographs whose tilt is not known, if others differ in tilt.
    metadata_deg
        The axis of the metadata, where the user gave another one.
    idle
        Whether the user gave an axis that nothing needs.
    """

    maps: Mapping[int, Matrix] = field(default_factory=dict)
    usual_deg: float | None = None
    axis_deg: float | None = None
    unmapped: int = 0
    unknown: int = 0
    metadata_deg: float | None = None
    idle: bool = False

    def of(self, members: Sequence[int]) -> list[Matrix]:
        """The matrices of some micrographs; an empty list if all of them stay as they are."""
        return [self.maps.get(i, SAME) for i in members] if any(i in self.maps for i in members) else []

    def warnings(self) -> list[str]:
        """Returns what a user has to know: all that applies."""
        warnings = []
        if self.idle:
            warnings.append(f"{named('tilt_axis_deg')} has no effect: no micrograph is known to have a different stage tilt")
        if self.metadata_deg is not None:
            warnings.append(
                f"{named('tilt_axis_deg', format(self.axis_deg, 'g'))} is used, but the metadata give {self.metadata_deg:g} degrees:"
                " with a wrong axis, duplicates"
                " between different tilts are missed; check the angle"
            )
        if self.unmapped:
            warnings.append(
                f"{count(self.unmapped, 'micrograph')} {'was' if self.unmapped == 1 else 'were'} not taken at the most common stage tilt"
                f" ({self.usual_deg:.0f} degrees), and the angle of the tilt axis is not known: duplicates between different tilts are"
                f" missed; give the angle with {named('tilt_axis_deg')}"
            )
        if self.maps and self.unknown:
            warnings.append(
                f"the stage tilt of {count(self.unknown, 'micrograph')} is not known: the most common one,"
                f" {self.usual_deg:.0f} degrees, is assumed"
            )
        return warnings

    def summary(self) -> dict[str, Any] | None:
        """Returns what ``summary.json`` holds; None if all micrographs have the same tilt."""
        if not (self.maps or self.unmapped) or self.usual_deg is None:
            return None
        axis_deg = None if self.axis_deg is None else round(self.axis_deg, 2)
        return {"usual_deg": round(self.usual_deg, 2), "axis_deg": axis_deg, "brought_to_usual": len(self.maps), "left": self.unmapped}


def tilts_of(acquisitions: Sequence[Acquisition], axis_deg: float | None) -> Tilts:
    """Tilts from the metadata of each exposure. ``axis_deg``: the tilt axis that the user gives; None: that of the metadata."""
    known = {i: one.tilt_deg for i, one in enumerate(acquisitions) if one.tilt_deg is not None and abs(one.tilt_deg) < 89}
    if not known:
        return Tilts(idle=axis_deg is not None)
    # The most common tilt to a degree, then the median of the tilts that round to it.
    numbers = Counter(round(abs(tilt)) for tilt in known.values())
    usual = min(numbers, key=lambda tilt: (-numbers[tilt], tilt))
    usual_deg = float(np.median([abs(tilt) for tilt in known.values() if round(abs(tilt)) == usual]))
    stretches = {i: math.cos(math.radians(usual_deg)) / math.cos(math.radians(tilt)) for i, tilt in known.items()}
    others = {i: stretch for i, stretch in stretches.items() if abs(stretch - 1) > MIN_DIFFERENCE}
    unknown = len(acquisitions) - len(known)
    if not others:
        return Tilts(usual_deg=usual_deg, idle=axis_deg is not None)
    metadata_deg = _middle_axis([one.tilt_axis_deg for one in acquisitions if one.tilt_axis_deg is not None])
    if axis_deg is None and metadata_deg is None:
        return Tilts(usual_deg=usual_deg, unmapped=len(others), unknown=unknown)
    used_deg = metadata_deg if axis_deg is None else axis_deg
    assert used_deg is not None
    maps = {i: _across(used_deg, 1 / stretch) for i, stretch in others.items()}
    contradicted = metadata_deg is not None and abs((used_deg - metadata_deg + 90) % 180 - 90) > _SAME_AXIS_DEG
    return Tilts(maps, usual_deg, used_deg, unknown=unknown, metadata_deg=metadata_deg if contradicted else None)


def _middle_axis(axes_deg: Sequence[float]) -> float | None:
    """The median direction of some axes: 179 degrees and -1 degree are one."""
    if not axes_deg:
        return None
    doubled = np.exp(2j * np.deg2rad(np.asarray(axes_deg, float)))
    nearest = int(np.argmin(np.abs(doubled - np.median(doubled.real) - 1j * np.median(doubled.imag))))
    return float(axes_deg[nearest])


def _across(axis_deg: float, stretch: float) -> Matrix:
    """The matrix that stretches at a right angle to the axis, which points along (-sin, cos) of its angle."""
    x, y = math.cos(math.radians(axis_deg)), math.sin(math.radians(axis_deg))
    more = stretch - 1
    return ((1 + more * x * x, more * x * y), (more * x * y, 1 + more * y * y))


def to_matrix(values: Floats) -> Matrix:
    """A matrix from an array (2, 2)."""
    (a, b), (c, d) = values.tolist()
    return ((a, b), (c, d))


def common(size: tuple[int, int], shift: tuple[float, float], first: Matrix, second: Matrix) -> tuple[tuple[float, float], float]:
    """The shift of two micrographs at the middle of their overlap, and the overlap as a share of the frame.

    ``shift`` is that of the images that are compared. Both shifts superimpose the second on the first. The share is that of the
    micrograph which shows the larger area of the specimen.
    """
    there, here = _positions(size, np.array(shift), np.array(first), np.array(second))
    back, _ = _positions(size, -np.array(shift), np.array(second), np.array(first))
    x, y = (here - there).mean(axis=0) if len(here) else np.array(shift)
    return (float(x), float(y)), min(len(here), len(back)) / _SAMPLES**2


def _positions(size: tuple[int, int], shift: Floats, first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Positions in the second micrograph that the first one shows, too, and the same positions in the first."""
    half = np.array(size) / 2
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES * 2 - 1
    here = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2) * half
    there = (here @ np.linalg.inv(first).T - shift) @ second.T
    inside = np.all(np.abs(there) <= half, axis=1)
    return there[inside], here[inside]
