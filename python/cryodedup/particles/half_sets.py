"""Duplicates across the half-sets of a gold-standard refinement, and their effect on the FSC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.names import named
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.points import Points

FSC_THRESHOLD = 0.143
"""The usual threshold (Rosenthal and Henderson 2003, J. Mol. Biol. 333, 721)."""
FSC_PRESENT = 0.02
"""An FSC of noise above this is visible in the curve."""
_SPANS, _MIN_SPAN = 8, 1 << 16
DIGITS = 3
"""Decimals with which an FSC is printed, and judged."""
Grade = Literal["none", "present", "reaches the threshold"]


@dataclass(frozen=True)
class HalfSets:
    """Holds what duplicates across the half-sets do to the FSC.

    A particle and its duplicate have the same noise. So each pair across the halves adds as much to the covariance of the half-maps as a
    particle adds to the variance of its own half-map, and each pair within a half adds twice as much to its variance: for noise alone the
    FSC is p12 / √((n1 + 2 p11) (n2 + 2 p22)), with n particles in each half and p pairs within and across them. If each particle has at
    most one duplicate, always in the other half, and f is the ratio of particles with a duplicate to those without, this is f / (1 + f).
    Differences between the shifts and orientations of duplicates lower it towards high resolution. For chains of particles, whose ends are
    not duplicates of each other, it is only an estimate. Particles of one uid that are further apart than the separation are not counted.

    Attributes
    ----------
    sizes
        Number of particles in half 1 and in half 2.
    pairs_across
        Number of pairs of duplicates with one particle in each half.
    concerned
        Number of particles that have a duplicate in the other half.
    noise_fsc
        The FSC of half-maps of noise alone.
    """

    sizes: tuple[int, int]
    pairs_across: int
    concerned: int
    noise_fsc: float

    @property
    def f(self) -> float:
        """Ratio of the particles that have a duplicate in the other half to those that have none."""
        others = sum(self.sizes) - self.concerned
        return self.concerned / others if others else (np.inf if self.concerned else 0.0)

    @property
    def grade(self) -> Grade:
        """The effect on the FSC, graded by the number as it is printed."""
        printed = round(self.noise_fsc, DIGITS)
        if printed >= FSC_THRESHOLD:
            return "reaches the threshold"
        return "present" if printed > FSC_PRESENT else "none"

    @property
    def f_over_1_plus_f(self) -> float:
        """F / (1 + f), the share of particles that have a duplicate in the other half."""
        return self.concerned / max(1, sum(self.sizes))


def settled(picks: Sequence[Picks]) -> list[Picks]:
    """Inputs whose half-sets may be unset keep them if another input is the other half-set alone, and have none otherwise."""
    second = any(pick.halves is not None and len(pick) and (pick.halves.values == 2).all() for pick in picks)
    return [replace(pick, halves=None) if pick.halves is not None and pick.halves.perhaps_unset and not second else pick for pick in picks]


def halves_of_all(picks: Iterable[Picks]) -> NDArray[np.uint8] | None:
    """The half of each particle of all inputs, 0 where it is unknown; None unless both halves occur."""
    columns = [pick.halves.values if pick.halves is not None else np.zeros(len(pick), np.uint8) for pick in picks]
    return np.concatenate(columns) if all(any((column == half).any() for column in columns) for half in (1, 2)) else None


def audit(halves: NDArray[np.uint8], coordinates_a: Floats, groups: NDArray[np.uint32], separation_a: float, threads: int) -> HalfSets:
    """Counts duplicates across the halves: particles of one group within the separation, which is above 0.

    Parameters
    ----------
    halves
        uint8 (n,): 1, 2, or 0.
    """
    found = _core.half_pairs(Points(coordinates_a, groups), halves, separation_a, threads=threads)
    return _half_sets(halves, found.concerned, found.within_one, found.across, found.within_two)


def without_duplicates(halves: NDArray[np.uint8]) -> HalfSets:
    """Half-sets without any duplicates, as after deduplication."""
    return _half_sets(halves, 0, 0, 0, 0)


def audit_equal(halves: NDArray[np.uint8], sets: NDArray[np.int64]) -> HalfSets:
    """As :func:`audit`, for duplicates with equal values; ``sets``: int64 (n,), the same for all equal particles."""
    concerned = within_one = across = within_two = 0
    span = max(len(halves) // _SPANS + 1, _MIN_SPAN)
    for first in range(0, len(halves), span):  # the counts of all sets at once took 32 bytes a particle
        inside = (sets >= first) & (sets < first + span)
        one, two = (np.bincount(sets[inside & (halves == half)] - first, minlength=span) for half in (1, 2))
        both = (one > 0) & (two > 0)
        concerned += int(one[both].sum() + two[both].sum())
        within_one += int(one @ (one - 1)) // 2
        across += int(one @ two)
        within_two += int(two @ (two - 1)) // 2
    return _half_sets(halves, concerned, within_one, across, within_two)


def _half_sets(halves: NDArray[np.uint8], concerned: int, within_one: int, across: int, within_two: int) -> HalfSets:
    one, two = (int(np.count_nonzero(halves == half)) for half in (1, 2))
    fsc = across / np.sqrt(float(one + 2 * within_one) * float(two + 2 * within_two)) if across else 0.0
    return HalfSets((one, two), across, concerned, min(1.0, float(fsc)))


def check_repairable(picks: Sequence[Picks]) -> None:
    """Raises InputError for an input or a particle without a half-set, for half-sets of STOPGAP, or if all particles are in one half."""
    for pick in picks:
        if pick.halves is not None and pick.halves.field == "halfset":
            raise InputError(
                kind="unsupported",
                path=pick.label,
                found="the half-sets A and B of STOPGAP",
                expected=f"those of RELION or CryoSPARC for {named('half_sets', 'repair')}",
            )
        if pick.halves is None:
            raise InputError(
                kind="missing",
                path=pick.label,
                found="no rlnRandomSubset or alignments*/split",
                expected=f"half-sets for {named('half_sets', 'repair')}",
            )
        unset = np.flatnonzero(pick.halves.values == 0)
        if len(unset):
            raise InputError(
                **pick.where(int(unset[0])).parts,
                kind="missing",
                found=f"no half-set in {pick.halves.field}",
                expected=f"one for {named('half_sets', 'repair')}",
            )
    if halves_of_all(picks) is None:
        raise InputError(
            kind="missing", path=picks[0].label, found="all particles in one half-set", expected=f"two for {named('half_sets', 'repair')}"
        )
