"""Duplicates across the half-sets of a gold-standard refinement: what they fake, and how to keep all particles without it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.particles.picks import Floats, Picks

if TYPE_CHECKING:
    from cryodedup.particles.result import ParticleResult

FSC_THRESHOLD = 0.143
"""Rosenthal and Henderson 2003, J. Mol. Biol. 333, 721."""


@dataclass(frozen=True)
class HalfSets:
    """What duplicates across the half-sets do to the FSC.

    Attributes
    ----------
    sizes
        Particles of half 1 and 2.
    pairs_across
        Pairs of duplicates of which one is in half 1 and one in half 2.
    concerned
        Particles that have a duplicate in the other half.
    """

    sizes: tuple[int, int]
    pairs_across: int
    concerned: int

    @property
    def f(self) -> float:
        """Particles that have a duplicate in the other half, for each particle that has none."""
        others = sum(self.sizes) - self.concerned
        return self.concerned / others if others else (np.inf if self.concerned else 0.0)

    @property
    def noise_fsc(self) -> float:
        """The FSC of the half-maps where there is nothing but noise, f / (1 + f).

        A particle and its duplicate have the same noise. Of two sums of n particles each, m of which are in both, the correlation is m / n:
        with f = m / (n - m), f / (1 + f). Shifts and orientations that differ between the two lower it towards high resolution.
        """
        return self.concerned / max(1, sum(self.sizes))


def of_all(picks: Iterable[Picks]) -> NDArray[np.uint8] | None:
    """The half of each particle of all inputs, 0 where it is not known; None if no input tells it."""
    columns = [pick.halves.values if pick.halves is not None else np.zeros(len(pick), np.uint8) for pick in picks]
    return np.concatenate(columns) if any(column.any() for column in columns) else None


def audit(halves: NDArray[np.uint8], first: NDArray[np.int64], second: NDArray[np.int64]) -> HalfSets:
    """Counts duplicates across the halves.

    Parameters
    ----------
    halves
        uint8 (n,): 1, 2, or 0.
    first, second
        int64 (m,) both: pairs of duplicates; those connected by pairs are one set.
    """
    sizes = np.bincount(halves, minlength=3)
    members, ends = np.unique(np.concatenate([first, second]), return_inverse=True)
    sets = _connected(len(members), *np.split(ends, 2))
    one, two = (np.bincount(sets[halves[members] == half], minlength=len(members)) for half in (1, 2))
    across = (one > 0) & (two > 0)
    return HalfSets((int(sizes[1]), int(sizes[2])), int((one * two).sum()), int((one + two)[across].sum()))


def _connected(n: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of ``n`` the least of those that pairs connect it with: labels spread along pairs, and jump along themselves."""
    label = np.arange(n)
    while True:
        lower = np.minimum(label[first], label[second])
        spread = label.copy()
        np.minimum.at(spread, first, lower)
        np.minimum.at(spread, second, lower)
        np.minimum.at(spread, label[first], lower)
        np.minimum.at(spread, label[second], lower)
        spread = spread[spread]
        if np.array_equal(spread, label):
            return label
        label = spread


def repaired(picks: Iterable[Picks], halves: NDArray[np.uint8] | None, best: NDArray[np.int64]) -> NDArray[np.uint8]:
    """New half-sets, in which all that hang together are in one half: that of the best of them.

    Parameters
    ----------
    best
        int64 (n,): for each particle the best of those it hangs together with.

    Raises
    ------
    InputError
        An input or a particle without a half-set.
    """
    start = 0
    for pick in picks:
        if pick.halves is None:
            raise InputError(f"{pick.label}: found no rlnRandomSubset or alignments*/split, expected half-sets for --half-sets repair")
        unset = np.flatnonzero(pick.halves.values == 0)
        if len(unset):
            raise InputError(f"{pick.where(int(unset[0]))}: found no half-set in {pick.halves.field}, expected one for --half-sets repair")
        start += len(pick)
    assert halves is not None
    return halves[best]


def hanging_together(
    compared: Floats,
    groups: NDArray[np.uint32],
    scores: Floats | None,
    priority: NDArray[np.uint32] | None,
    separation: float,
    same: tuple[NDArray[np.int64], NDArray[np.int64]],
    threads: int,
) -> NDArray[np.int64]:
    """For each particle the best of those connected with it by steps within the separation, or by pairs that are the ``same``."""
    best = _core.components(compared, groups, scores, priority, separation, threads=threads).astype(np.int64)
    joined: dict[int, int] = {}

    def root(of: int) -> int:
        while of in joined:
            of = joined[of]
        return of

    for pair in zip(*(best[rows].tolist() for rows in same), strict=True):
        one, other = map(root, pair)
        if one != other:
            worse, better = (one, other) if _rank(one, scores, priority) > _rank(other, scores, priority) else (other, one)
            joined[worse] = better
    if joined:
        moved = np.isin(best, list(joined))
        best[moved] = [root(of) for of in best[moved].tolist()]
    return best


def _rank(particle: int, scores: Floats | None, priority: NDArray[np.uint32] | None) -> tuple[float, float, int]:
    score = -float(scores[particle]) if scores is not None and not np.isnan(scores[particle]) else np.inf
    return (0 if priority is None else int(priority[particle]), score, particle)


def half_set_lines(result: ParticleResult) -> list[str]:
    """What duplicates across the half-sets do, for the terminal and the page."""
    before, after = result.half_sets(), result.half_sets_written()
    if before is None or after is None:
        return []
    share = 100 * before.concerned / max(1, sum(before.sizes))
    lines = [
        f"half-sets of {before.sizes[0]:,} and {before.sizes[1]:,}: {before.pairs_across:,} duplicate pairs lie across them,"
        f" {before.concerned:,} particles ({share:.2f} %) are concerned",
        f"for each particle without a duplicate in the other half f = {before.f:.4g} with one: where there is only noise the FSC is"
        f" f/(1+f) = {before.noise_fsc:.4f} (threshold {FSC_THRESHOLD})",
    ]
    what = "with the new half-sets" if result.repaired_halves is not None else "of what is kept"
    return [*lines, f"{what}: {after.pairs_across:,} pairs across, noise FSC {after.noise_fsc:.4f}"]
