"""What makes two particles duplicates: a distance of at most the minimum separation, or equal stored values.

The two differ in what is compared, in how duplicates across half-sets are counted, and in how they are described. Only
:func:`criterion_of` checks whether the separation is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.params import ParticleParams
from cryodedup.particles.centres import Centres, used_shifts
from cryodedup.particles.half_sets import HalfSets, audit, audit_equal
from cryodedup.particles.inputs.consistency import filament_warnings
from cryodedup.particles.inputs.picks import Floats, Picks

Groups = NDArray[np.uint32]
Halves = NDArray[np.uint8]


@dataclass(frozen=True)
class WithinDistance:
    """Duplicates are particles whose centres are at most ``separation_a`` apart, Å, above 0."""

    separation_a: float
    needs_components = False
    """Whether duplicates across half-sets are counted from connected components."""
    needs_shifts = False
    """Whether the shifts themselves are compared, in addition to the coordinates."""

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
    needs_shifts = True

    def columns(self, picks: Sequence[Picks], centres: Centres) -> Floats:
        """The columns that are compared: the values as stored, without any arithmetic; float64 (n, columns)."""
        n, dimensions = centres.coordinates_a.shape
        compared = np.zeros((n, 2 + 2 * dimensions))
        start = 0
        for pick, size in zip(picks, centres.sizes, strict=True):
            rows = compared[start : start + len(pick)]
            start += len(pick)
            rows[:, 0] = _unit(pick)
            rows[:, 1] = 0.0 if pick.format == "CryoSPARC" else np.float32(size.sizes_a)
            shifts = pick.added_shifts or used_shifts(pick, centres.shift_key)
            for axis in range(dimensions):
                rows[:, 2 + axis] = pick.stored[axis]
                if axis < len(shifts):
                    rows[:, 2 + dimensions + axis] = shifts[axis]
            if self.by_origin and pick.expanded_from is not None:
                made = pick.expanded_from != 0  # 0: not set
                rows[made] = 0.0
                rows[made, 0] = 3
                rows[made, 2] = pick.expanded_from[made] >> np.uint64(32)
                rows[made, 3] = pick.expanded_from[made] & np.uint64(0xFFFFFFFF)
        return compared

    def warnings(self, picks: Sequence[Picks], centres: Centres, params: ParticleParams) -> list[str]:
        """Warns if coordinates cannot be equal, since inputs store them in different units."""
        present = [pick for pick in picks if len(pick)]
        other = next((pick for pick in present if _unit(pick) != _unit(present[0])), None)
        if other is None:
            return []
        return [
            f"{present[0].label} and {other.label} store coordinates in different units: at a separation of 0 none of them are equal;"
            " choose a small --min-separation to compare their positions"
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
    if params.min_separation_a > 0:
        return WithinDistance(params.min_separation_a)
    return EqualValues(by_origin=params.undo_symmetry_expansion)


def _unit(pick: Picks) -> int:
    """A number for the unit of stored coordinates: 0 pixels, 1 fractions, 2 Å."""
    return 1 if pick.format == "CryoSPARC" else 2 if pick.in_angstrom else 0
