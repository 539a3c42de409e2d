"""The verdict on duplicates across half-sets, in the input and in the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cryodedup.particles.half_sets import DIGITS, FSC_THRESHOLD, HalfSets
from cryodedup.text import count

UNEQUAL = 0.9
"""A warning is given if the ratio of the sizes of the two half-sets is smaller."""


@dataclass(frozen=True, kw_only=True)
class HalfSetAudit:
    """Half-sets of the input, and those that are written.

    Attributes
    ----------
    found, written
        Counts for all particles of the input; and for the output: the kept particles, which have no duplicates, or all particles with
        their new half-sets.
    moved
        How many particles changed their half-set; None: without repair.
    particles
        Number of all particles, including those in neither half.
    separation_a
        The minimum separation used, Å.
    doubt
        Why the pairs may be neighbours, not duplicates; or None.
    """

    found: HalfSets
    written: HalfSets
    moved: int | None
    particles: int
    separation_a: float
    doubt: str | None

    @property
    def verdict(self) -> str:
        """The verdict in one sentence, the same at the top of the page, in the terminal and in the warnings."""
        found = self.found
        if found.grade == "none":
            few = "few" if found.pairs_across else "no"
            return (
                f"half-sets of the input: {few} pairs of duplicates within {self.separation_a:g} Å lie across them; their effect on the"
                f" FSC is negligible ({found.noise_fsc:.{DIGITS}f})"
            )
        raised = (
            f"half-sets of the input: duplicates lie across them, and shared noise alone raises the FSC to {found.noise_fsc:.{DIGITS}f}"
        )
        reaches = found.grade == "reaches the threshold"
        level = f"above the {FSC_THRESHOLD} threshold" if reaches else f"below the {FSC_THRESHOLD} threshold"
        if self.doubt is not None:
            return f"{raised}, {level}, if these pairs are duplicates; but {self.doubt}"
        invalid = ": the resolution from these half-sets is not valid" if reaches else ""
        then = "refine the kept particles, or repair the half-sets" if self.moved is None else "refine again with the repaired half-sets"
        return f"{raised}, {level}{invalid}; {then}"

    def lines(self) -> list[str]:
        """Sentences for the terminal and the page; the verdict first."""
        before, after = self.found, self.written
        share = 100 * before.f_over_1_plus_f
        each = f", f = {before.f:.3g} times the number of particles without one" if np.isfinite(before.f) else ""
        neither = self.particles - sum(before.sizes)
        others = f" ({neither:,} are in neither)" if neither else ""
        if not before.pairs_across and self.moved is None:
            return [
                self.verdict,
                f"half-sets of {before.sizes[0]:,} and {before.sizes[1]:,} particles{others}: 0 pairs of duplicates across them",
            ]
        return [
            self.verdict,
            f"half-sets of {before.sizes[0]:,} and {before.sizes[1]:,} particles{others}: {count(before.pairs_across, 'pair')} of"
            f" duplicates across them; {before.concerned:,} particles ({share:.1f} %) have a duplicate in the other half{each}",
            f"shared noise alone raises the FSC to {before.noise_fsc:.3f}, {'above' if before.noise_fsc > FSC_THRESHOLD else 'below'} the"
            f" {FSC_THRESHOLD} threshold",
            f"{'half-sets of the kept particles' if self.moved is None else 'repaired half-sets'}: {after.sizes[0]:,} and"
            f" {after.sizes[1]:,} particles, {count(after.pairs_across, 'pair')} across them, FSC from shared noise {after.noise_fsc:.3f}",
        ]

    @property
    def warnings(self) -> list[str]:
        """Warnings about a resolution that would be too good, and about half-sets of unequal size."""
        warnings = [self.verdict] if self.found.grade != "none" else []
        (one, two), found = self.written.sizes, self.found.sizes
        before, chance = min(found) / max(found), 4 / np.sqrt(max(1, one + two))
        if min(one, two) >= (min(UNEQUAL, before) - chance) * max(one, two):
            return warnings
        sizes = f"{one:,} and {two:,} particles"
        return [
            *warnings,
            f"the half-sets of the kept particles have {sizes}, since most of the kept duplicates were in one half-set; split the"
            " particles into new half-sets before refinement"
            if self.moved is None
            else f"the new half-sets have {sizes}: most of the best duplicates were in one half-set, or too many particles are connected"
            f" within {self.separation_a:g} Å",
        ]

    def summary(self) -> dict[str, Any]:
        """The entry in ``summary.json``."""
        return {
            "verdict": self.found.grade,
            "threshold": FSC_THRESHOLD,
            **_numbers(self.found),
            "written": _numbers(self.written),
            "moved": self.moved,
        }


def _numbers(found: HalfSets) -> dict[str, Any]:
    return {
        "particles": list(found.sizes),
        "pairs_across": found.pairs_across,
        "particles_concerned": found.concerned,
        "f": round(found.f, 6) if np.isfinite(found.f) else None,
        "f_over_1_plus_f": round(found.f_over_1_plus_f, 6),
        "noise_fsc": round(found.noise_fsc, 6),
    }
