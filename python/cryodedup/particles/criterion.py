"""What makes two particles duplicates: a distance of at most the minimum separation, or equal stored values.

The two differ in what is compared, in how duplicates across half-sets are counted, and in how they are described. Only
:func:`criterion_of` checks whether the separation is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.names import named
from cryodedup.params import ParticleParams
from cryodedup.particles.centres import Centres, used_shifts
from cryodedup.particles.half_sets import HalfSets, audit, audit_equal
from cryodedup.particles.inputs.consistency import filament_warnings
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.inputs.pixel_sizes import Resolved

_OF_ORIGINS = 3.0
"""Beside the units of coordinates."""
Groups = NDArray[np.uint32]
Halves = NDArray[np.uint8]


@dataclass(frozen=True)
class WithinDistance:
    """Duplicates are particles whose centres are at most ``separation_a`` apart, Å, above 0."""

    separation_a: float
    needs_components = False
    """Whether duplicates across half-sets are counted from connected components."""

    def columns(self, picks: Sequence[Picks], centres: Centres) -> Floats:
        """The columns that are compared: the centres, Å."""
        return centres.coordinates_a

    def warnings(self, picks: Sequence[Picks], centres: Centres, params: ParticleParams) -> list[str]:
        """Warns if segments of a filament, which are close to each other by design, are within the separation."""
        return filament_warnings(picks, centres.coordinates_a, params)

    def half_sets(self, halves: Halves, centres: Centres, micrograph_of: Groups, component_of: object, threads: int) -> HalfSets:
        """Counts duplicates across half-sets."""
        return audit(halves, centres.coordinates_a, micrograph_of, self.separation_a, threads)

    def words(self, centre: str) -> str:
        """Which particles are duplicates; ``centre``: how their coordinates are to be called."""
        return f"Particles of the same micrograph whose centres ({centre}) were at most {self.separation_a:g} Å apart"

    def __str__(self) -> str:
        return f"a minimum separation of {self.separation_a:g} Å"


@dataclass(frozen=True)
class EqualValues:
    """Duplicates have equal stored coordinates, and equal shifts where shifts are used; or, to undo a symmetry expansion, one origin.

    Stored values in different units (fractions, Å, pixels of another size) are never equal.
    """

    by_origin: bool
    separation_a = 0.0
    needs_components = True

    def columns(self, picks: Sequence[Picks], centres: Centres) -> Floats:
        """The columns that are compared: the values as stored, without any arithmetic; float64 (n, columns).

        These are the coordinates, then the shifts if an input has some, then the unit and the pixel size unless all particles have the
        same: a column of one value takes 8 bytes a particle, and distinguishes nothing.
        """
        n, dimensions = centres.coordinates_a.shape
        has_shifts = any(pick.added_shifts or (pick.shift_keys and centres.shift_key != "none") for pick in picks)
        unit = 2 * dimensions if has_shifts else dimensions
        compared = np.zeros((n, unit if self._are_of_one_unit(picks, centres) else unit + 2))
        start = 0
        for pick, size in zip(picks, centres.sizes, strict=True):
            rows = compared[start : start + len(pick)]
            start += len(pick)
            shifts = pick.added_shifts or used_shifts(pick, centres.shift_key)
            for axis in range(dimensions):
                rows[:, axis] = pick.stored[axis]
                if axis < len(shifts):
                    rows[:, dimensions + axis] = shifts[axis]
            rows[:, unit:] = _unit(pick)
            rows[:, unit + 1 :] = np.reshape(_pixel_sizes(pick, size), (-1, 1))
            if self.by_origin and pick.expanded_from is not None:
                _put_origins(pick.expanded_from, rows, unit)
        return compared

    def _are_of_one_unit(self, picks: Sequence[Picks], centres: Centres) -> bool:
        """Whether the unit and the pixel size of all compared values are the same."""
        present = [(pick, size) for pick, size in zip(picks, centres.sizes, strict=True) if len(pick)]
        origins = [pick.expanded_from if self.by_origin else None for pick, _ in present]
        if all(origin is not None and origin.all() for origin in origins):
            return True
        if any(origin is not None for origin in origins):
            return False
        sizes = [_pixel_sizes(pick, size) for pick, size in present]
        return len({_unit(pick) for pick, _ in present}) == 1 and all(np.ndim(size) == 0 and size == sizes[0] for size in sizes)

    def warnings(self, picks: Sequence[Picks], centres: Centres, params: ParticleParams) -> list[str]:
        """Warns if coordinates cannot be equal, since inputs store them in different units."""
        present = [pick for pick in picks if len(pick)]
        other = next((pick for pick in present if _unit(pick) != _unit(present[0])), None)
        if other is None:
            return []
        return [
            f"{present[0].label} and {other.label} store coordinates in different units: at a separation of 0 none of them are equal;"
            f" choose a small {named('min_separation_a')} to compare their positions"
        ]

    def half_sets(
        self, halves: Halves, centres: Centres, micrograph_of: Groups, component_of: NDArray[np.int64] | None, threads: int
    ) -> HalfSets:
        """Counts duplicates across half-sets; ``component_of``: int64 (n,), the same for all equal particles."""
        assert component_of is not None
        return audit_equal(halves, component_of)

    def words(self, centre: str) -> str:
        """Which particles are duplicates; ``centre``: how their coordinates are to be called."""
        return (
            "Copies that a symmetry expansion made of one particle"
            if self.by_origin
            else f"Particles of the same micrograph with equal {centre}"
        )

    def __str__(self) -> str:
        return "equal coordinates"


Criterion = WithinDistance | EqualValues


def criterion_of(params: ParticleParams) -> Criterion:
    """The criterion that a separation stands for."""
    if params.used_separation_a > 0:
        return WithinDistance(params.used_separation_a)
    return EqualValues(by_origin=params.undo_symmetry_expansion)


def _unit(pick: Picks) -> int:
    """A number for the unit of stored coordinates: 0 pixels, 1 fractions, 2 Å."""
    return 1 if pick.format == "CryoSPARC" else 2 if pick.in_angstrom else 0


def _pixel_sizes(pick: Picks, size: Resolved) -> Floats | np.float32:
    """The pixel sizes that stored coordinates are counted in, float32, one for all or (n,); 0 for fractions."""
    return np.float32(0.0 if pick.format == "CryoSPARC" else size.sizes_a)


def _put_origins(origins: NDArray[np.uint64], rows: Floats, unit: int) -> None:
    """Replaces the values of particles by what they were expanded from, as two numbers that a float64 holds; 0: not set."""
    made = slice(None) if origins.all() else origins != 0
    rows[made] = 0.0
    rows[made, unit:] = _OF_ORIGINS
    rows[made, 0] = origins[made] >> np.uint64(32)
    rows[made, 1] = origins[made] & np.uint64(0xFFFFFFFF)
