"""Particles of two files that are at one position of a micrograph.

A position is one micrograph and equal stored coordinates, or equal centres (coordinates minus shifts): RELION's *Extract* with re-centring
subtracts the rounded origin from the coordinate and from the origin (``Preprocessing::getCoordinateMetaDataTable``), which moves the
coordinates and leaves the centre. A later refinement does the opposite. Where one says kept and the other rejected, the row is undecided.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.apply.earlier import ChosenParticles
from cryodedup.apply.verdicts import NOTHING, Verdicts, combine, look_up
from cryodedup.errors import UnknownPixelSizeError
from cryodedup.params import ParticleParams
from cryodedup.params.description import is_number
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.inputs.pixel_sizes import TOLERANCE as TOLERANCE_OF_SIZES
from cryodedup.particles.inputs.pixel_sizes import certain_sizes_a, likely_sizes_a
from cryodedup.particles.points import Points

TOLERANCE = 0.01
"""Pixels (Å where coordinates are in Å). RELION writes six decimals of single precision, 0.0005 px at 4,000; CryoSPARC's fractions are as
exact. Two particles nearer than that are one position, whatever they are."""
Identity: TypeAlias = tuple[NDArray[np.uint64], NDArray[np.uint64]]
"""Numbers of the particles of a result, and of those of a file: equal ones are one position."""
SAME_SIZE = 1 + TOLERANCE_OF_SIZES
"""Pixel sizes of a smaller ratio are one, written with fewer digits or calibrated anew."""


def same_positions(
    chosen: ChosenParticles, chosen_of: NDArray[np.uint32], picks: Picks, picks_of: NDArray[np.uint32], params: ParticleParams
) -> list[Identity]:
    """The numbers of the positions of a result's particles and of others: of their coordinates, and of their centres.

    Parameters
    ----------
    chosen_of, picks_of
        For each particle of the result and of the file the number of its micrograph, the same in both.
    params
        Has the pixel size for files that do not say it.
    """
    threads = params.threads
    both = [*chosen.picks, picks]
    axes = _axes(both)
    if axes is None:
        return []
    of = np.concatenate([chosen_of, picks_of])
    unit = _units(both)
    stored = [_stored(one, axes) * scale for one, scale in zip(both, unit, strict=True)]
    number = len(chosen.verdicts)
    found = [_numbered(np.concatenate(stored), of, number, threads)]
    chosen_a = params.pixel_size_a if is_number(params.pixel_size_a) else None
    shifts = [_shifts_px(one, axes, chosen_a) for one in both]
    if any(shift is not None for shift in shifts):
        centres = [
            position if shift is None else position - shift * scale for position, shift, scale in zip(stored, shifts, unit, strict=True)
        ]
        found.append(_numbered(np.concatenate(centres), of, number, threads))
    return found


def by_position(chosen: ChosenParticles, positions: Sequence[Identity], count: int) -> Verdicts:
    """The verdicts of a result on the positions of so many particles."""
    found = [look_up(known, chosen.verdicts, asked) for known, asked in positions]
    return reduce(combine, found) if found else np.zeros(count, np.uint8)


def _stored(picks: Picks, axes: int) -> Floats:
    """Coordinates, float64 (n, axes); where there are no particles there may be fewer columns."""
    return np.column_stack(picks.position[:axes]) if len(picks) else np.zeros((0, axes))


def _numbered(points: Floats, micrograph_of: NDArray[np.uint32], known: int, threads: int) -> Identity:
    """Points of one position get one number; those of the first ``known`` points, and of the others."""
    number = np.full(len(points), NOTHING, np.uint64)
    usable = np.isfinite(points).all(axis=1)
    same = _core.components(Points(points, micrograph_of).take(usable), TOLERANCE, threads=threads)
    number[usable] = same
    return number[:known], number[known:]


def _axes(several: Sequence[Picks]) -> int | None:
    """How many coordinates are compared; None: those of the last can not be compared to the others'."""
    filled = [picks for picks in several if len(picks)]
    if len({picks.in_angstrom for picks in filled}) > 1:
        return None
    dimensions = {len(picks.position) for picks in filled}
    if len(dimensions) == 1:
        return dimensions.pop()
    has_depth = any(len(picks.position) == 3 and np.ptp(picks.position[2]) > 0 for picks in filled)
    return None if has_depth else 2


def _units(several: Sequence[Picks]) -> list[Floats | float]:
    """1, or pixel sizes (n, 1) where they are known of all and differ: pixels of binned micrographs are compared in Å."""
    sizes = [None if picks.in_angstrom else certain_sizes_a(picks) for picks in several]
    values = [value for size in sizes if size is not None for value in np.unique(size[np.isfinite(size)]).tolist()]
    known = all(size is not None and np.isfinite(size).all() for size in sizes)
    if not (known and values and max(values) > SAME_SIZE * min(values)):
        return [1.0] * len(several)
    return [np.ones((0, 1)) if size is None else size[:, None] for size in sizes]


def _shifts_px(picks: Picks, axes: int, pixel_size_a: float | None) -> Floats | None:
    """The shifts of each particle in the unit of its coordinates, shape (n, axes); NaN where the pixel size is not known."""
    key = next((key for key in ("alignments3D", "alignments2D") if key in picks.shift_keys), None)
    if key is None or not len(picks):
        return None
    try:
        shifts_a = picks.shifts_a(key)[:axes]
    except UnknownPixelSizeError:
        return None
    size_a = 1.0 if picks.in_angstrom else likely_sizes_a(picks, pixel_size_a)
    if not shifts_a:  # they are in the positions already
        return None
    return np.column_stack([shift / size_a for shift in shifts_a])
