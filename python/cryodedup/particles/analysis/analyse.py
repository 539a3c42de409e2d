"""What a selection means: overlaps of inputs, half-sets, the separation that the particles suggest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.connected import connected_with
from cryodedup.particles.analysis.consensus import Sets, combinations
from cryodedup.particles.analysis.half_set_verdict import HalfSetAudit
from cryodedup.particles.analysis.separation import Suggestion, suggest
from cryodedup.particles.centres import Centres
from cryodedup.particles.criterion import Criterion
from cryodedup.particles.half_sets import halves_of_all, without_duplicates
from cryodedup.particles.joining import Joined
from cryodedup.particles.points import Points
from cryodedup.particles.select import Selection

MAX_SOURCES = 64
"""Up to this many inputs are compared with each other in the summary."""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What is found beside the selection.

    Attributes
    ----------
    overlaps
        uint64 (inputs, inputs): how many particles of the first input have one of the second within the separation, itself not counted;
        None for one input.
    found_by
        How many sets of duplicates (a single particle is one, too) were found by exactly which inputs; None for one input.
    halves, repaired_halves
        uint8 (n,): the half-set of each particle, 1 or 2, 0 where it is in none; None if no input gives any. And with ``half_sets``
        ``repair`` the new ones.
    component_of
        int64 (n,): the best of all particles that each is connected with by steps between duplicates; known for ``half_sets``
        ``repair``, and where the separation is 0 and there are half-sets.
    half_sets
        What duplicates across the half-sets do to the FSC; None if no input has half-sets.
    suggestion
        The minimum separation that the particles themselves suggest, whatever was used.
    """

    overlaps: NDArray[np.uint64] | None
    found_by: Sets | None
    halves: NDArray[np.uint8] | None
    repaired_halves: NDArray[np.uint8] | None
    component_of: NDArray[np.int64] | None
    half_sets: HalfSetAudit | None
    suggestion: Suggestion
    warnings: list[str]


def analyse(joined: Joined, centres: Centres, selection: Selection, criterion: Criterion, params: ParticleParams) -> Analysis:
    """Looks at what was selected."""
    overlaps, warnings = _overlaps(joined, selection, params)
    halves = halves_of_all(joined.picks)
    if halves is None and any(pick.halves is not None and pick.halves.values.any() for pick in joined.picks):
        warnings.append("all particles are of one half-set: duplicates across the two can not be counted")
    suggestion = Suggestion()
    if centres.in_angstrom and not params.undo_symmetry_expansion:
        suggestion = suggest(centres.coordinates_a, joined.micrograph_of, params.threads)
    if all(pick.filaments is None for pick in joined.picks):  # segments of a filament are near by design, and have their own warning
        warnings += suggestion.warnings(params.min_separation_a, selection.rejected_by_distance, len(selection.kept))
    component_of = _component_of(joined, selection, criterion, params) if halves is not None else None
    repaired = halves[component_of] if params.half_sets == "repair" and halves is not None and component_of is not None else None
    audit = None
    if halves is not None:
        counted = (centres, joined.micrograph_of, component_of, params.threads)
        audit = HalfSetAudit(
            found=criterion.half_sets(halves, *counted),
            written=without_duplicates(halves[selection.kept]) if repaired is None else criterion.half_sets(repaired, *counted),
            moved=None if repaired is None else int((repaired != halves).sum()),
            particles=len(halves),
            separation_a=params.min_separation_a,
            doubt=suggestion.about_pairs(params.min_separation_a),
        )
        warnings += audit.warnings
    n = len(joined.picks)
    return Analysis(
        overlaps=overlaps,
        found_by=None if overlaps is None or params.remove_entirely else combinations(selection.set_of, joined.source_of, n),
        halves=halves,
        repaired_halves=repaired,
        component_of=component_of,
        half_sets=audit,
        suggestion=suggestion,
        warnings=warnings,
    )


def _overlaps(joined: Joined, selection: Selection, params: ParticleParams) -> tuple[NDArray[np.uint64] | None, list[str]]:
    n = len(joined.picks)
    if n == 1:
        return None, []
    if n > MAX_SOURCES:
        return None, [f"{n} inputs: their overlaps are not counted (more than {MAX_SOURCES})"]
    points = Points(selection.compared, joined.micrograph_of)
    return _core.overlaps(points, joined.source_of, n, params.min_separation_a, threads=params.threads), []


def _component_of(joined: Joined, selection: Selection, criterion: Criterion, params: ParticleParams) -> NDArray[np.int64] | None:
    """What is connected by duplicates, where it is needed: to repair half-sets, and to count equal particles."""
    if params.half_sets != "repair" and not criterion.needs_components:
        return None
    return connected_with(selection, joined.micrograph_of, criterion.separation_a, params.threads)
