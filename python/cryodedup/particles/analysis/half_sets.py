"""Duplicates across the half-sets of a gold-standard refinement: what they fake, and how to keep all particles without it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.separation import Suggestion
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.words import count

UNEQUAL = 0.9
"""Half-sets whose sizes differ by more are warned about."""
FSC_THRESHOLD = 0.143
"""Rosenthal and Henderson 2003, J. Mol. Biol. 333, 721."""
FSC_PRESENT = 0.02
"""An FSC of noise above this shows in the curve."""
DIGITS = 3
"""With which an FSC is printed, and judged."""
Grade = Literal["none", "present", "reaches the threshold"]


@dataclass(frozen=True)
class HalfSets:
    """What duplicates across the half-sets do to the FSC.

    A particle and its duplicate have the same noise. So each pair across the halves gives as much to the covariance of the half-maps as
    a particle gives to the variance of its own, and each pair within a half gives twice that to its variance: where there is nothing but
    noise, the FSC is p12 / √((n1 + 2 p11) (n2 + 2 p22)). If each particle has one duplicate at most, always in the other half, and f
    particles have one for each that has none, that is f / (1 + f). Shifts and orientations that differ between duplicates lower it
    towards high resolution; of chains, whose ends are no duplicates of each other, it is not more than an estimate. Particles of one uid
    that are further apart than the separation are not counted.

    Attributes
    ----------
    sizes
        Particles of half 1 and 2.
    pairs_across
        Pairs of duplicates of which one is in half 1 and one in half 2.
    concerned
        Particles that have a duplicate in the other half.
    noise_fsc
        The FSC of half-maps of noise alone.
    """

    sizes: tuple[int, int]
    pairs_across: int
    concerned: int
    noise_fsc: float

    @property
    def f(self) -> float:
        """Particles that have a duplicate in the other half, for each particle that has none."""
        others = sum(self.sizes) - self.concerned
        return self.concerned / others if others else (np.inf if self.concerned else 0.0)

    @property
    def grade(self) -> Grade:
        """What duplicates across the half-sets do to the FSC, judged by the number as it is printed."""
        printed = round(self.noise_fsc, DIGITS)
        if printed >= FSC_THRESHOLD:
            return "reaches the threshold"
        return "present" if printed > FSC_PRESENT else "none"

    @property
    def f_over_1_plus_f(self) -> float:
        """F / (1 + f), the share of the particles that are concerned."""
        return self.concerned / max(1, sum(self.sizes))


def of_all(picks: Iterable[Picks]) -> NDArray[np.uint8] | None:
    """The half of each particle of all inputs, 0 where it is not known; None if no input has particles in both."""
    columns = [pick.halves.values if pick.halves is not None else np.zeros(len(pick), np.uint8) for pick in picks]
    return np.concatenate(columns) if all(any((column == half).any() for column in columns) for half in (1, 2)) else None


def audit(halves: NDArray[np.uint8], coordinates_a: Floats, groups: NDArray[np.uint32], separation_a: float, threads: int) -> HalfSets:
    """Counts duplicates across the halves: particles of one group within the separation, which is above 0.

    Parameters
    ----------
    halves
        uint8 (n,): 1, 2, or 0.
    """
    found = _core.half_pairs(coordinates_a, groups, halves, separation_a, threads=threads)
    return _half_sets(halves, found.concerned, found.within_one, found.across, found.within_two)


def without_duplicates(halves: NDArray[np.uint8]) -> HalfSets:
    """The half-sets of particles of which none are duplicates of each other, as deduplication leaves them."""
    return _half_sets(halves, 0, 0, 0, 0)


def audit_equal(halves: NDArray[np.uint8], sets: NDArray[np.int64]) -> HalfSets:
    """The same where duplicates are equal; ``sets``: int64 (n,), for each particle one of those that it is equal to, the same for all."""
    one, two = (np.bincount(sets[halves == half], minlength=len(halves)) for half in (1, 2))
    concerned = (one + two)[(one > 0) & (two > 0)].sum()
    within = [int((count * (count - 1) // 2).sum()) for count in (one, two)]
    return _half_sets(halves, int(concerned), within[0], int((one * two).sum()), within[1])


def _half_sets(halves: NDArray[np.uint8], concerned: int, within_one: int, across: int, within_two: int) -> HalfSets:
    _, one, two = np.bincount(halves, minlength=3).tolist()
    fsc = across / np.sqrt(float(one + 2 * within_one) * float(two + 2 * within_two)) if across else 0.0
    return HalfSets((one, two), across, concerned, min(1.0, float(fsc)))


def check_repairable(picks: Sequence[Picks]) -> None:
    """Raises InputError for an input or a particle without a half-set, or if all are in one."""
    for pick in picks:
        if pick.halves is not None and pick.halves.field == "halfset":
            raise InputError(
                f"{pick.label}: found the half-sets A and B of STOPGAP, expected those of RELION or CryoSPARC for --half-sets repair"
            )
        if pick.halves is None:
            raise InputError(f"{pick.label}: found no rlnRandomSubset or alignments*/split, expected half-sets for --half-sets repair")
        unset = np.flatnonzero(pick.halves.values == 0)
        if len(unset):
            raise InputError(f"{pick.where(int(unset[0]))}: found no half-set in {pick.halves.field}, expected one for --half-sets repair")
    if of_all(picks) is None:
        raise InputError(f"{picks[0].label}: found all particles in one half-set, expected two for --half-sets repair")


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
        path = []
        while of in joined:
            path.append(of)
            of = joined[of]
        joined.update(dict.fromkeys(path, of))
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


class Audited(Protocol):
    """What a result has to have: its half-sets as found and as written, and what the distances suggest."""

    @property
    def params(self) -> ParticleParams: ...
    @property
    def suggestion(self) -> Suggestion: ...
    @property
    def kept(self) -> NDArray[np.bool_]: ...
    @property
    def repaired_halves(self) -> NDArray[np.uint8] | None: ...
    def half_sets(self) -> HalfSets | None: ...
    def half_sets_written(self) -> HalfSets | None: ...


def half_set_lines(result: Audited) -> list[str]:
    """What duplicates across the half-sets do, for the terminal and the page; the verdict first."""
    before, after = result.half_sets(), result.half_sets_written()
    if before is None or after is None:
        return []
    share = 100 * before.f_over_1_plus_f
    each = f", f = {before.f:.3g} for each one that has none" if np.isfinite(before.f) else ""
    neither = len(result.kept) - sum(before.sizes)
    others = f" ({neither:,} are in neither)" if neither else ""
    return [
        half_set_verdict(result),
        f"half-sets of {before.sizes[0]:,} and {before.sizes[1]:,} particles{others}: {count(before.pairs_across, 'pair')} of duplicates"
        f" across them; {before.concerned:,} particles ({share:.1f} %) have a duplicate in the other half{each}",
        f"shared noise alone gives an FSC of {before.noise_fsc:.3f}, counted pair by pair; the threshold is {FSC_THRESHOLD} (f/(1+f) ="
        f" {before.f_over_1_plus_f:.3f}, which leaves out duplicates within a half)",
        f"half-sets {'repaired' if result.repaired_halves is not None else 'of what is kept'}: {after.sizes[0]:,} and {after.sizes[1]:,}"
        f" particles, {count(after.pairs_across, 'pair')} across them, FSC of noise {after.noise_fsc:.3f}",
    ]


def half_set_verdict(result: Audited) -> str:
    """In one sentence, the same for the top of the page, the terminal and the warnings; empty without half-sets."""
    found = result.half_sets()
    if found is None:
        return ""
    if found.grade == "none":
        few = "few" if found.pairs_across else "no"
        return f"half-sets of the input: {few} duplicates across them; their effect on the FSC is negligible ({found.noise_fsc:.{DIGITS}f})"
    raised = f"half-sets of the input: duplicates lie across them, and shared noise alone raises the FSC to {found.noise_fsc:.{DIGITS}f}"
    about = result.suggestion.about_pairs(result.params.min_separation_a)
    reaches = found.grade == "reaches the threshold"
    level = f"which reaches the {FSC_THRESHOLD} threshold" if reaches else f"below the {FSC_THRESHOLD} threshold"
    if about is not None:
        return f"{raised}, {level}, if these pairs are duplicates; but {about}"
    invalid = ": the resolution from these half-sets is not valid" if reaches else ""
    return f"{raised}, {level}{invalid}; refine the kept particles, or use --half-sets repair"


def half_set_warnings(result: Audited) -> list[str]:
    """Where the resolution of a map from these particles would be faked, and where a repair goes too far."""
    found, written = result.half_sets(), result.half_sets_written()
    warnings = [half_set_verdict(result)] if found is not None and found.grade != "none" else []
    if found is None or written is None:
        return warnings
    before, chance = min(found.sizes) / max(found.sizes), 4 / np.sqrt(max(1, sum(written.sizes)))
    if min(written.sizes) < (min(UNEQUAL, before) - chance) * max(written.sizes):
        sizes = f"{written.sizes[0]:,} and {written.sizes[1]:,} particles"
        best = "the best ones of the duplicates are mostly of one half"
        warnings.append(
            f"the half-sets of what is kept have {sizes}: {best}; split them anew before they are refined"
            if result.repaired_halves is None
            else f"the new half-sets have {sizes}: {best}, or too much hangs together within {result.params.min_separation_a:g} Å"
        )
    return warnings
