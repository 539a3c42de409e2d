"""Analyses a selection: overlaps of inputs, half-sets, and the separation that the particles suggest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.components import connected_components
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.consensus import Sets, combinations, particles_in_shared, sets_in_shared
from cryodedup.particles.analysis.half_set_verdict import HalfSetAudit
from cryodedup.particles.analysis.neighbours import sampled
from cryodedup.particles.analysis.separation import Suggestion, suggest
from cryodedup.particles.centres import Centres
from cryodedup.particles.criterion import Criterion
from cryodedup.particles.half_sets import halves_of_all, without_duplicates
from cryodedup.particles.joining import Joined
from cryodedup.particles.points import Points
from cryodedup.particles.select import Selection


def connected_with(selection: Selection, micrograph_of: NDArray[np.uint32], separation: float, threads: int) -> NDArray[np.int64]:
    """For each particle, int64 (n,), the best of those connected with it by chains of duplicates: within the separation, or of one uid."""
    ranking, repeated = selection.ranking, selection.repeated
    points = Points(selection.compared, micrograph_of, ranking.scores, ranking.priority)
    best = _core.components(points, separation, threads=threads).astype(np.int64)
    if repeated is None:
        return best
    edges = zip(best[repeated.particles].tolist(), best[repeated.best].tolist(), strict=True)
    sets = connected_components(edges)
    joined = np.array([member for members in sets for member in members], np.int64)
    set_of = np.repeat(np.arange(len(sets), dtype=np.uint64), [len(members) for members in sets])
    order = ranking.best_first(joined, set_of)
    first = np.concatenate([[True], set_of[order][1:] != set_of[order][:-1]])
    replaced = np.arange(len(best))
    replaced[joined] = joined[order][first][set_of.astype(np.int64)]
    return np.asarray(replaced[best], np.int64)


MAX_SOURCES = 64
"""Maximum number of inputs that are compared with each other."""
MAX_COUNTED = 500_000
"""If more particles are kept, the number of duplicates that a separation leaves is estimated from some of the micrographs."""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Results in addition to the selection.

    Attributes
    ----------
    overlaps
        uint64 (inputs, inputs): how many particles of the input in the row have another particle, of the input in the column, within the
        separation; None for one input.
    in_shared, sets_in_shared
        int64 (inputs, inputs): how many particles of the input in the row, and sets of duplicates it found, lie in micrographs that the
        input in the column has, too; None for one input, the second also where there are no sets.
    found_by
        Number of sets of duplicates (a single particle is a set, too) by the inputs that found them; None for one input.
    halves, repaired_halves
        uint8 (n,): the half-set of each particle, 1 or 2, 0 where it has none; None if the inputs do not give both half-sets. And the new
        half-sets with ``half_sets='repair'``.
    component_of
        int64 (n,): for each particle the best of those connected with it by chains of duplicates; known if there are half-sets, and either
        ``half_sets='repair'`` or a separation of 0.
    half_sets
        The effect of duplicates across the half-sets on the FSC; None if there are no half-sets.
    suggestion
        The minimum separation that the particles suggest, whichever was used.
    """

    overlaps: NDArray[np.uint64] | None
    in_shared: NDArray[np.int64] | None
    sets_in_shared: NDArray[np.int64] | None
    found_by: Sets | None
    halves: NDArray[np.uint8] | None
    repaired_halves: NDArray[np.uint8] | None
    component_of: NDArray[np.int64] | None
    half_sets: HalfSetAudit | None
    suggestion: Suggestion
    warnings: list[str]


def analyse(joined: Joined, centres: Centres, selection: Selection, criterion: Criterion, params: ParticleParams) -> Analysis:
    """Analyses a selection."""
    are_filaments = centres.half_vectors_a is not None  # what follows goes by single positions
    overlaps, warnings = (None, []) if are_filaments else _overlaps(joined, selection, params)
    halves = halves_of_all(joined.picks)
    if halves is not None and selection.below is not None:
        halves = np.where(selection.below, np.uint8(0), halves)
    if halves is None and any(pick.halves is not None and pick.halves.values.any() for pick in joined.picks):
        warnings.append("all particles are in one half-set: duplicates across half-sets cannot be counted")
    suggestion = Suggestion()
    if centres.in_angstrom and not params.undo_symmetry_expansion and not are_filaments:
        of = selection.compared_with
        suggestion = suggest(centres.coordinates_a[of], joined.micrograph_of[of], params.threads)
    if all(pick.filaments is None for pick in joined.picks):  # segments of a filament are close by design, and have their own warning
        warnings += suggestion.warnings(params.used_separation_a, selection.rejected_by_distance, len(selection.kept))
        warnings += _duplicates_left(suggestion, joined, centres, selection, params)
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
            separation_a=params.used_separation_a,
            doubt=suggestion.about_pairs(params.used_separation_a),
        )
        warnings += audit.warnings
    set_of = None if overlaps is None or params.remove_entirely else selection.set_of
    compared = np.arange(len(selection.kept))[selection.compared_with]
    return Analysis(
        overlaps=overlaps,
        in_shared=None if overlaps is None else particles_in_shared(joined),
        sets_in_shared=None if set_of is None else sets_in_shared(joined, set_of, compared),
        found_by=None if set_of is None else combinations(set_of[compared], joined.source_of[compared], len(joined.picks)),
        halves=halves,
        repaired_halves=repaired,
        component_of=component_of,
        half_sets=audit,
        suggestion=suggestion,
        warnings=warnings,
    )


def _duplicates_left(suggestion: Suggestion, joined: Joined, centres: Centres, selection: Selection, params: ParticleParams) -> list[str]:
    """Warns if the separation leaves duplicates: as many as the suggested one would reject of the kept particles."""
    if not suggestion.leaves_duplicates_at(params.used_separation_a):
        return []
    points, groups = centres.coordinates_a[selection.kept], joined.micrograph_of[selection.kept]
    some = sampled(points, groups, MAX_COUNTED)
    found = _core.deduplicate(Points(points[some], groups[some]), suggestion.suggested_a or 0.0, threads=params.threads)
    left = round(len(found.rejected) * len(points) / max(1, len(found.kept)))
    return [suggestion.warning_of_left(params.used_separation_a, left, "" if len(found.kept) == len(points) else "about ")] if left else []


def _overlaps(joined: Joined, selection: Selection, params: ParticleParams) -> tuple[NDArray[np.uint64] | None, list[str]]:
    n = len(joined.picks)
    if n == 1:
        return None, []
    if n > MAX_SOURCES:
        return None, [f"{n} inputs: their overlaps are not counted (only for {MAX_SOURCES} inputs or fewer)"]
    points, source_of = Points(selection.compared, joined.micrograph_of), joined.source_of
    if selection.below is not None:
        points, source_of = points.take(~selection.below), source_of[~selection.below]
    return _core.overlaps(points, source_of, n, params.used_separation_a, threads=params.threads), []


def _component_of(joined: Joined, selection: Selection, criterion: Criterion, params: ParticleParams) -> NDArray[np.int64] | None:
    """Components connected by duplicates, where they are needed: to repair half-sets, and to count equal particles."""
    if params.half_sets != "repair" and not criterion.needs_components:
        return None
    return connected_with(selection, joined.micrograph_of, criterion.separation_a, params.threads)
