"""Which particles are duplicates of which, and what stays of each: by distance, by identity, by votes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.consensus import votes
from cryodedup.particles.centres import Centres, used_shifts
from cryodedup.particles.gathering import Gathered
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.inputs.scores import compare
from cryodedup.words import count

Selected = tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]
"""Mask of the kept, the rejected, and for each of these what it duplicates."""


@dataclass(frozen=True)
class Repeated:
    """Particles that have the identity of a better one, and that one."""

    particles: NDArray[np.int64]
    best: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What stays, and what is a duplicate of what; n particles, m of which are rejected.

    Attributes
    ----------
    kept
        bool (n,).
    rejected, duplicate_of
        int64 (m,): ascending; and for each of them the one it duplicates, itself if too few inputs found it.
    compared
        float64 (n, columns): what distances were measured on.
    described
        For each input what is told of its scores.
    """

    kept: NDArray[np.bool_]
    rejected: NDArray[np.int64]
    duplicate_of: NDArray[np.int64]
    compared: Floats
    scores: Floats | None
    priority: NDArray[np.uint32] | None
    repeated: Repeated | None
    described: list[dict[str, object]]
    warnings: list[str]

    @property
    def repeated_uids(self) -> int:
        """How many particles have the uid of another."""
        return 0 if self.repeated is None else len(self.repeated.particles)

    @property
    def rejected_by_distance(self) -> int:
        """How many particles are rejected for another one nearby."""
        return max(0, len(self.rejected) - int((self.rejected == self.duplicate_of).sum()) - self.repeated_uids)

    def distances_a(self, coordinates_a: Floats) -> Floats:
        """Of each rejected particle to the one it duplicates, NaN where that is itself, float64 (m,)."""
        difference = coordinates_a[self.rejected] - coordinates_a[self.duplicate_of]
        return np.where(self.duplicate_of == self.rejected, np.nan, np.sqrt((difference * difference).sum(axis=1)))


def select(gathered: Gathered, params: ParticleParams, progress: Callable[[int], object] | None) -> Choice:
    """Ranks the particles, and keeps the best of those that are duplicates of each other."""
    warnings = _unit_warnings(gathered, params)
    scores, described = compare(gathered.picks, params, warnings)
    compared = _compared_columns(gathered.picks, gathered.centres, params)
    priority = gathered.source_of if params.priority == "input" else None
    repeated = _repeated_uids(gathered.picks, scores, priority, params)
    if repeated is not None:
        first, best = (int(rows[0]) for rows in (repeated.particles, repeated.best))
        inputs = " and ".join(dict.fromkeys(gathered.picks[int(gathered.source_of[row])].label for row in (best, first)))
        twice = count(len(repeated.particles), "particle")
        warnings.append(f"{inputs}: {twice} with the uid of another: duplicates of it wherever they are, since a uid is one particle")
    found = _select(compared, gathered.micrograph_of, scores, priority, repeated, params, progress)
    if params.min_votes > 1:
        found, of_votes = _by_votes(found, gathered, params)
        warnings += of_votes
    kept, rejected, duplicate_of = found
    return Choice(
        kept=kept,
        rejected=rejected,
        duplicate_of=duplicate_of,
        compared=compared,
        scores=scores,
        priority=priority,
        repeated=repeated,
        described=described,
        warnings=warnings,
    )


def _by_votes(found: Selected, gathered: Gathered, params: ParticleParams) -> tuple[Selected, list[str]]:
    """What enough of the inputs that cover its micrograph found, and what is to be said of it."""
    needed = gathered.coverage.needed(params)[gathered.micrograph_of]
    everywhere = np.full(len(needed), params.min_votes)
    chosen, of_all = (_voted(*found, gathered.source_of, len(gathered.picks), votes) for votes in (needed, everywhere))
    if len(needed) and not chosen[0].any():
        return chosen, [f"nothing stays: no particle was found by {params.min_votes} inputs within {params.min_separation_a:g} Å"]
    few = gathered.coverage.counts() < params.min_votes
    in_few = int(np.count_nonzero(few[np.unique(gathered.micrograph_of)]))
    if not in_few:
        return chosen, []
    where = f"{count(in_few, 'micrograph')} covered by fewer than {params.min_votes} inputs"
    if params.votes_where == "all":
        return chosen, [f"{where}: nothing can stay there (--votes-where all)"]
    more = int(chosen[0].sum() - of_all[0].sum())
    return chosen, [f"{where}: {count(more, 'particle')} found by fewer inputs stay there; --votes-where all would reject them"]


def _compared_columns(picks: Sequence[Picks], centres: Centres, params: ParticleParams) -> Floats:
    """What distances are measured on: the centres; for a separation of 0 the stored values, which no arithmetic has touched.

    Stored coordinates of different units (fractions, Å, pixels of another size) are never equal. Shifts, where they are used, have to be
    equal, too. To undo a symmetry expansion, particles are compared by the one they were made from where that is known.
    """
    if params.min_separation_a > 0:
        return centres.coordinates_a
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
        if params.undo_symmetry_expansion and pick.expanded_from is not None:
            made = pick.expanded_from != 0  # 0: not set
            rows[made] = 0.0
            rows[made, 0] = 3
            rows[made, 2] = pick.expanded_from[made] >> np.uint64(32)
            rows[made, 3] = pick.expanded_from[made] & np.uint64(0xFFFFFFFF)
    return compared


def _unit(pick: Picks) -> int:
    """A number for what stored coordinates are counted in: pixels, fractions, Å."""
    return 1 if pick.format == "CryoSPARC" else 2 if pick.in_angstrom else 0


def _unit_warnings(gathered: Gathered, params: ParticleParams) -> list[str]:
    """Where equal coordinates can not be found, since they are counted in different units."""
    picks = [pick for pick in gathered.picks if len(pick)]
    other = next((pick for pick in picks if _unit(pick) != _unit(picks[0])), None)
    if params.min_separation_a > 0 or other is None:
        return []
    return [
        f"{picks[0].label} and {other.label} count coordinates in different units: at a separation of 0 none of them are equal; choose a"
        " small --min-separation to compare their places"
    ]


def _repeated_uids(
    picks: Sequence[Picks], scores: Floats | None, priority: NDArray[np.uint32] | None, params: ParticleParams
) -> Repeated | None:
    """Particles of equal uid, which are duplicates wherever they are; copies made by a symmetry expansion have uids of their own."""
    with_uids = [pick for pick in picks if pick.uids is not None and len(pick)]
    if not with_uids or params.undo_symmetry_expansion:
        return None
    starts = np.cumsum([0, *map(len, picks)])
    particles = np.concatenate(
        [np.arange(start, start + len(pick)) for start, pick in zip(starts, picks, strict=False) if pick.uids is not None]
    )
    uids = np.concatenate([pick.uids for pick in with_uids if pick.uids is not None])
    ordered = np.sort(uids)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    twice = twice[twice != 0]  # not set
    if not len(twice):
        return None
    chosen = np.isin(uids, twice)
    particles, uids = particles[chosen], uids[chosen]
    score = np.zeros(len(particles)) if scores is None else np.nan_to_num(-scores[particles], nan=np.inf)
    rank = np.zeros(len(particles), np.uint32) if priority is None else priority[particles]
    order = np.lexsort((particles, score, rank, uids))
    first = np.concatenate([[True], uids[order][1:] != uids[order][:-1]])
    best = particles[order][first][np.cumsum(first) - 1]
    return Repeated(particles[order][~first], best[~first])


def _select(
    compared: Floats,
    group_of: NDArray[np.uint32],
    scores: Floats | None,
    priority: NDArray[np.uint32] | None,
    repeated: Repeated | None,
    params: ParticleParams,
    progress: Callable[[int], object] | None,
) -> Selected:
    """Mask of the kept, the rejected, and for each of these what it duplicates."""

    def search(rows: Any) -> Selected:
        found = _core.deduplicate(
            compared[rows],
            group_of[rows],
            None if scores is None else scores[rows],
            None if priority is None else priority[rows],
            params.min_separation_a,
            remove_entirely=params.remove_entirely,
            threads=params.threads,
            progress=progress,
        )
        return found.kept, found.rejected, found.duplicate_of

    if repeated is None:
        return search(slice(None))
    stands = np.ones(len(compared), bool)
    stands[repeated.particles] = False
    particles = np.flatnonzero(stands)
    duplicate_of = np.arange(len(compared))
    if params.remove_entirely:
        _, rejected, of = search(slice(None))
        duplicate_of[rejected] = of
        duplicate_of[repeated.best] = repeated.particles
        duplicate_of[repeated.particles] = repeated.best
    else:
        _, rejected, of = search(particles)
        duplicate_of[particles[rejected]] = particles[of]
        duplicate_of[repeated.particles] = duplicate_of[repeated.best]
    kept = duplicate_of == np.arange(len(compared))
    rejected = np.flatnonzero(~kept)
    return kept, rejected, duplicate_of[rejected]


def _voted(
    kept: NDArray[np.bool_],
    rejected: NDArray[np.int64],
    duplicate_of: NDArray[np.int64],
    source_of: NDArray[np.uint32],
    n_sources: int,
    needed: NDArray[np.int64],
) -> Selected:
    """Rejects the kept ones that fewer sources found than are needed there, too; they duplicate nothing but themselves.

    ``needed``: int64 (n,), how many sources have to have found each particle.
    """
    of = np.arange(len(kept))
    of[rejected] = duplicate_of
    kept = kept & (votes(of, source_of, n_sources) >= needed)
    rejected = np.flatnonzero(~kept)
    return kept, rejected, of[rejected]
