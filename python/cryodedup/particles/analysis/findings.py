"""What a choice means: overlaps of inputs, half-sets, the separation that the particles suggest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.half_sets import hanging_together, of_all
from cryodedup.particles.analysis.separation import Suggestion, suggest
from cryodedup.particles.gathering import Gathered
from cryodedup.particles.selection import Choice

MOST_SOURCES = 64
"""Up to this many inputs are compared with each other in the summary."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """As the attributes of equal names of a :class:`ParticleResult`."""

    overlaps: NDArray[np.uint64] | None
    halves: NDArray[np.uint8] | None
    repaired_halves: NDArray[np.uint8] | None
    together: NDArray[np.int64] | None
    suggestion: Suggestion
    warnings: list[str]


def analyse(gathered: Gathered, choice: Choice, params: ParticleParams) -> Findings:
    """Looks at what was chosen."""
    overlaps, warnings = _overlaps(gathered, choice, params)
    halves = of_all(gathered.picks)
    if halves is None and any(pick.halves is not None and pick.halves.values.any() for pick in gathered.picks):
        warnings.append("all particles are of one half-set: duplicates across the two can not be counted")
    together = None if halves is None else _together(gathered, choice, params)
    suggestion = Suggestion()
    if gathered.centres.in_angstrom and not params.undo_symmetry_expansion:
        suggestion = suggest(gathered.centres.coordinates_a, gathered.micrograph_of, params.threads)
    if all(
        pick.filaments is None for pick in gathered.picks
    ):  # segments of a filament are neighbours by design, and have their own warning
        warnings += suggestion.warnings(params.min_separation_a, choice.rejected_by_distance, len(choice.kept))
    repaired = halves[together] if params.half_sets == "repair" and halves is not None and together is not None else None
    return Findings(overlaps=overlaps, halves=halves, repaired_halves=repaired, together=together, suggestion=suggestion, warnings=warnings)


def _overlaps(gathered: Gathered, choice: Choice, params: ParticleParams) -> tuple[NDArray[np.uint64] | None, list[str]]:
    n = len(gathered.picks)
    if n == 1:
        return None, []
    if n > MOST_SOURCES:
        return None, [f"{n} inputs: their overlaps are not counted (more than {MOST_SOURCES})"]
    places = choice.compared, gathered.micrograph_of, gathered.source_of
    return _core.overlaps(*places, n, params.min_separation_a, threads=params.threads), []


def _together(gathered: Gathered, choice: Choice, params: ParticleParams) -> NDArray[np.int64] | None:
    """What hangs together by duplicates, where it is needed: to repair half-sets, and to count equal particles."""
    if params.half_sets != "repair" and params.min_separation_a > 0:
        return None
    nothing = np.zeros(0, np.int64)
    same = (nothing, nothing) if choice.repeated is None else (choice.repeated.particles, choice.repeated.best)
    ranked = choice.compared, gathered.micrograph_of, choice.scores, choice.priority
    return hanging_together(*ranked, params.min_separation_a, same, params.threads)
