"""Visits at different stage tilts: each shows the specimen foreshortened across the tilt axis, by the cosine of its tilt.

Before they are compared, micrographs of another tilt than the usual one are brought to its foreshortening. Particles, too, are seen from
another direction then, so that pairs far apart in tilt correlate less.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.places import Floats

Matrix = tuple[tuple[float, float], tuple[float, float]]
SAME: Matrix = ((1.0, 0.0), (0.0, 1.0))
MIN_DIFFERENCE = 0.005
"""Micrographs that are foreshortened alike to so small a share are left as they are."""
_SAMPLES = 64
_SAME_AXIS_DEG = 5.0
"""A user's axis that differs by more from that of the metadata is warned about."""


@dataclass(frozen=True)
class Tilts:
    """How micrographs are brought to one foreshortening.

    Attributes
    ----------
    maps
        Of the micrographs of another tilt than the usual one, by index, the matrix from a place in the image that is compared to that in
        the micrograph, both seen from the middle.
    usual_deg
        The most frequent tilt.
    axis_deg
        Counterclockwise from the y axis.
    unmapped
        How many are of another tilt, but stay as they are, since the axis is not known.
    unknown
        Of how many the tilt is not known, where others differ.
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
        """The matrices of some micrographs; none if all stay as they are."""
        return [self.maps.get(i, SAME) for i in members] if any(i in self.maps for i in members) else []

    def warnings(self) -> list[str]:
        """What a user has to know."""
        if self.idle:
            return ["--tilt-axis is not used: no micrograph is known to have another stage tilt than the others"]
        if self.metadata_deg is not None:
            return [
                f"--tilt-axis {self.axis_deg:g} is used, but the metadata tell another axis, {self.metadata_deg:g}: with a wrong one"
                " duplicates between tilts are missed"
            ]
        if self.unmapped:
            return [
                f"{self.unmapped:,} micrographs were taken at another stage tilt than most ({self.usual_deg:.0f} degrees), but the tilt"
                " axis is not known: duplicates between tilts are missed; --tilt-axis tells it"
            ]
        if self.maps and self.unknown:
            return [
                f"of {self.unknown:,} micrographs the stage tilt is not known: it is taken to be that of most, {self.usual_deg:.0f} degrees"
            ]
        return []

    def summary(self) -> dict[str, Any] | None:
        """What ``summary.json`` holds; None where all are tilted alike."""
        if not (self.maps or self.unmapped) or self.usual_deg is None:
            return None
        axis_deg = None if self.axis_deg is None else round(self.axis_deg, 2)
        return {"usual_deg": round(self.usual_deg, 2), "axis_deg": axis_deg, "brought_to_usual": len(self.maps), "left": self.unmapped}


def tilts_of(acquisitions: Sequence[Acquisition], axis_deg: float | None) -> Tilts:
    """From what is known of each exposure; ``axis_deg``: from the user, None: from the metadata."""
    known = {i: one.tilt_deg for i, one in enumerate(acquisitions) if one.tilt_deg is not None and abs(one.tilt_deg) < 89}
    if not known:
        return Tilts(idle=axis_deg is not None)
    # The tilt of most, and of those of about that tilt the middle.
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
    """The direction of most axes: 179 degrees and -1 degree are one."""
    if not axes_deg:
        return None
    doubled = np.exp(2j * np.deg2rad(np.asarray(axes_deg, float)))
    nearest = int(np.argmin(np.abs(doubled - np.median(doubled.real) - 1j * np.median(doubled.imag))))
    return float(axes_deg[nearest])


def _across(axis_deg: float, stretch: float) -> Matrix:
    """Stretches at a right angle to the axis, which points to (-sin, cos) of its angle."""
    x, y = math.cos(math.radians(axis_deg)), math.sin(math.radians(axis_deg))
    more = stretch - 1
    return ((1 + more * x * x, more * x * y), (more * x * y, 1 + more * y * y))


def common(size: tuple[int, int], shift: tuple[float, float], first: Matrix, second: Matrix) -> tuple[tuple[float, float], float]:
    """The shift of the micrographs in the middle of what they share, from that of the images that are compared, and the share of the frame.

    Shifts are moves that lay the second on the first.

    The share is that of the micrograph which shows more of the specimen.
    """
    there, here = _places(size, np.array(shift), np.array(first), np.array(second))
    back, _ = _places(size, -np.array(shift), np.array(second), np.array(first))
    x, y = (here - there).mean(axis=0) if len(here) else np.array(shift)
    return (float(x), float(y)), min(len(here), len(back)) / _SAMPLES**2


def _places(size: tuple[int, int], shift: Floats, first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Places of the second micrograph that the first shows, too, and where."""
    half = np.array(size) / 2
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES * 2 - 1
    here = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2) * half
    there = (here @ np.linalg.inv(first).T - shift) @ second.T
    inside = np.all(np.abs(there) <= half, axis=1)
    return there[inside], here[inside]
