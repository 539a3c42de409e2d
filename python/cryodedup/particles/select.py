"""Which particles are duplicates of which, and what stays of each: by distance, by identity, by votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.names import named
from cryodedup.params import ParticleParams
from cryodedup.particles.centres import Centres
from cryodedup.particles.criterion import Criterion
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.inputs.scores import below_min_score, compare
from cryodedup.particles.joining import Joined
from cryodedup.particles.points import Points
from cryodedup.progress import Progress
from cryodedup.text import count


@dataclass(frozen=True)
class Ranking:
    """Holds what decides which of several duplicates is kept.

    Attributes
    ----------
    scores
        float64 (n,): higher is better, NaN is worst; None: input order.
    priority
        uint32 (n,): lower is better, and takes precedence over the score; None: all are equal.
    """

    scores: Floats | None
    priority: NDArray[np.uint32] | None

    def best_first(self, particles: NDArray[np.int64], sets: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The order, int64 (m,), that sorts some particles by their sets, and within a set from the best to the worst."""
        score = np.zeros(len(particles)) if self.scores is None else np.nan_to_num(-self.scores[particles], nan=np.inf)
        priority = np.zeros(len(particles), np.uint32) if self.priority is None else self.priority[particles]
        return np.asarray(np.lexsort((particles, score, priority, sets)), np.int64)


def votes(set_of: NDArray[np.int64], source_of: NDArray[np.uint32], n_sources: int) -> NDArray[np.int64]:
    """Number of sources that found each set, int64 (n,), at the particle that represents the set; 0 elsewhere.

    ``set_of``: for each particle the one that represents its set.
    """
    count = np.zeros(len(set_of), np.int64)
    for source in range(n_sources):
        found = np.zeros(len(set_of), bool)
        found[set_of[source_of == source]] = True
        count += found
    return count


_BATCH = 1 << 16


@dataclass(frozen=True)
class Repeated:
    """Particles that have the uid of a better one, and that one; int64 (r,) both."""

    particles: NDArray[np.int64]
    best: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Holds what stays, and what is a duplicate of what; n particles, m of which are rejected.

    Attributes
    ----------
    kept
        bool (n,): whether the particle stays.
    rejected
        int64 (m,), ascending: the particles that do not stay.
    duplicate_of
        int64 (m,): for each of them the one it duplicates: the nearest of the better ones kept within the separation; with
        ``remove_entirely`` the nearest other one; itself if it is rejected because too few inputs found it (``min_votes``), which may
        also have befallen the one that it duplicates.
    distances_a
        float64 (m,): their distances, Å; NaN where it duplicates none.
    compared
        float64 (n, columns): what distances were measured on.
    ranking
        What the choice went by.
    scores_used
        For each input what is said of its scores.
    below
        bool (n,): particles that are rejected for their low score alone (``min_score``); None: no particle.
    """

    kept: NDArray[np.bool_]
    rejected: NDArray[np.int64]
    duplicate_of: NDArray[np.int64]
    distances_a: Floats
    compared: Floats
    ranking: Ranking
    repeated: Repeated | None
    scores_used: list[dict[str, object]]
    warnings: list[str]
    below: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        for column in (self.kept, self.rejected, self.duplicate_of, self.distances_a):
            column.setflags(write=False)

    @property
    def repeated_uids(self) -> int:
        """How many particles have the uid of another."""
        return 0 if self.repeated is None else len(self.repeated.particles)

    @cached_property
    def outvoted(self) -> int:
        """How many particles that are the best of their set were rejected because too few inputs found it (``min_votes``)."""
        return int((self.rejected == self.duplicate_of).sum()) - self.below_min_score

    @property
    def below_min_score(self) -> int:
        """How many particles were rejected for their low score alone."""
        return 0 if self.below is None else int(self.below.sum())

    @property
    def compared_with(self) -> slice | NDArray[np.bool_]:
        """The particles that were searched for duplicates: all, or those whose score is not too low."""
        return slice(None) if self.below is None else ~self.below

    @property
    def rejected_by_distance(self) -> int:
        """How many particles are rejected for another one nearby."""
        return max(0, len(self.rejected) - self.outvoted - self.below_min_score - self.repeated_uids)

    @property
    def set_of(self) -> NDArray[np.int64]:
        """For each particle that which it duplicates, or itself, int64 (n,)."""
        of = np.arange(len(self.kept))
        of[self.rejected] = self.duplicate_of
        return of


def select(
    joined: Joined, centres: Centres, compared: Floats, criterion: Criterion, params: ParticleParams, progress: Progress
) -> Selection:
    """Ranks the particles, and keeps the best of those that are duplicates of each other by the columns that are compared."""
    warnings = criterion.warnings(joined.picks, centres, params)
    below = None if params.min_score is None else below_min_score(joined.picks, params, warnings)
    scores, scores_used = compare(joined.picks, params, warnings, below)
    ranking = Ranking(scores, np.ascontiguousarray(joined.source_of) if params.priority == "input" else None)
    repeated = None if params.undo_symmetry_expansion else _repeated_uids(joined.picks, ranking, below)
    if repeated is not None:
        first, best = (int(rows[0]) for rows in (repeated.particles, repeated.best))
        inputs = " and ".join(dict.fromkeys(joined.picks[int(joined.source_of[row])].label for row in (best, first)))
        twice = count(len(repeated.particles), "particle")
        warnings.append(f"{inputs}: {twice} with the uid of another: duplicates at any distance, since a uid identifies one particle")
    half_vectors_a = centres.half_vectors_a
    if half_vectors_a is not None:  # also for a separation of 0: an end may be stored first or last
        compared = centres.coordinates_a
    duplicate_of = _duplicate_of(
        compared, half_vectors_a, joined.micrograph_of, ranking, repeated, below, criterion.separation_a, params, progress
    )
    kept = duplicate_of == np.arange(len(duplicate_of))
    if below is not None:
        kept &= ~below
    if params.min_votes > 1:
        kept, of_votes = _voted(kept, duplicate_of, joined, params)
        warnings += of_votes
    rejected = np.flatnonzero(~kept)
    of = duplicate_of[rejected]
    return Selection(
        kept=kept,
        rejected=rejected,
        duplicate_of=of,
        distances_a=_distances_a(centres, rejected, of),
        compared=compared,
        ranking=ranking,
        repeated=repeated,
        scores_used=scores_used,
        warnings=warnings,
        below=below,
    )


def _distances_a(centres: Centres, rejected: NDArray[np.int64], of: NDArray[np.int64]) -> Floats:
    """Distances of centres; of filaments the larger one of their ends, in the order in which it is smaller."""
    coordinates_a, halves = centres.coordinates_a, centres.half_vectors_a
    if halves is not None:
        apart, (mine, theirs) = coordinates_a[rejected] - coordinates_a[of], (halves[rejected], halves[of])
        orders = [[apart + (mine - end), apart - (mine - end)] for end in (theirs, -theirs)]
        ends = np.linalg.norm(np.array(orders).reshape(2, 2, -1, 2), axis=3)
        return np.where(of == rejected, np.nan, ends.max(axis=1).min(axis=0))
    distances = np.empty(len(rejected))
    for start in range(0, len(rejected), _BATCH):  # all at once took 64 bytes a rejected particle
        rows = slice(start, start + _BATCH)
        difference = coordinates_a[rejected[rows]] - coordinates_a[of[rows]]
        distances[rows] = np.where(of[rows] == rejected[rows], np.nan, np.sqrt((difference * difference).sum(axis=1)))
    return distances


def _voted(
    kept: NDArray[np.bool_], duplicate_of: NDArray[np.int64], joined: Joined, params: ParticleParams
) -> tuple[NDArray[np.bool_], list[str]]:
    """Returns what enough of the inputs that cover its micrograph found, bool (n,), and what is to be said of it."""
    found_by = votes(duplicate_of, joined.source_of, len(joined.picks))
    enough = kept & (found_by >= joined.coverage.needed(params)[joined.micrograph_of])
    if len(kept) and not enough.any():
        return enough, [f"no particle is kept: none was found by {params.min_votes} inputs within {params.used_separation_a:g} Å"]
    few = joined.coverage.counts() < params.min_votes
    in_few = int(np.count_nonzero(few[np.unique(joined.micrograph_of)]))
    if not in_few:
        return enough, []
    where = f"{count(in_few, 'micrograph')} covered by fewer than {params.min_votes} inputs"
    if params.votes_where == "all":
        return enough, [f"{where}: no particle can be kept there ({named('votes_where', 'all')})"]
    more = int(enough.sum() - (kept & (found_by >= params.min_votes)).sum())
    return enough, [f"{where}: {count(more, 'particle')} kept there with fewer votes; to reject them, add {named('votes_where', 'all')}"]


def _repeated_uids(picks: Sequence[Picks], ranking: Ranking, below: NDArray[np.bool_] | None) -> Repeated | None:
    """Particles of equal uid, which are duplicates wherever they are; copies made by a symmetry expansion have uids of their own."""
    with_uids = [pick for pick in picks if pick.uids is not None and len(pick)]
    if not with_uids:
        return None
    starts = np.cumsum([0, *map(len, picks)])
    particles = np.concatenate(
        [np.arange(start, start + len(pick)) for start, pick in zip(starts, picks, strict=False) if pick.uids is not None]
    )
    uids = np.concatenate([pick.uids for pick in with_uids if pick.uids is not None])
    if below is not None:
        uids, particles = uids[~below[particles]], particles[~below[particles]]
    ordered = np.sort(uids)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    twice = twice[twice != 0]  # not set
    if not len(twice):
        return None
    chosen = np.isin(uids, twice)
    particles, uids = particles[chosen], uids[chosen]
    order = ranking.best_first(particles, uids)
    first = np.concatenate([[True], uids[order][1:] != uids[order][:-1]])
    best = particles[order][first][np.cumsum(first) - 1]
    return Repeated(particles[order][~first], best[~first])


def _duplicate_of(
    compared: Floats,
    half_vectors_a: Floats | None,
    micrograph_of: NDArray[np.uint32],
    ranking: Ranking,
    repeated: Repeated | None,
    below: NDArray[np.bool_] | None,
    separation: float,
    params: ParticleParams,
    progress: Progress,
) -> NDArray[np.int64]:
    """For each particle that which it duplicates, itself if it stays, int64 (n,)."""
    points = Points(compared, micrograph_of, ranking.scores, ranking.priority)

    def search(rows: NDArray[np.int64] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        found = _core.deduplicate(
            points if rows is None else points.take(rows),
            separation,
            half_vectors=half_vectors_a if rows is None or half_vectors_a is None else half_vectors_a[rows],
            remove_entirely=params.remove_entirely,
            threads=params.threads,
            progress=progress.advance_to,
        )
        return found.rejected, found.duplicate_of

    apart = None if params.remove_entirely else repeated  # not searched: they are what their best is
    if below is None and apart is None:
        rejected, of = search(None)
        duplicate_of = np.arange(len(compared))
        duplicate_of[rejected] = of
    else:
        duplicate_of = np.arange(len(compared))
        stands = np.ones(len(compared), bool) if below is None else ~below
        if apart is not None:
            stands[apart.particles] = False
        particles = np.flatnonzero(stands)
        rejected, of = search(particles)
        duplicate_of[particles[rejected]] = particles[of]
    if apart is not None:
        duplicate_of[apart.particles] = duplicate_of[apart.best]
    elif repeated is not None:
        duplicate_of[repeated.best] = repeated.particles
        duplicate_of[repeated.particles] = repeated.best
    return duplicate_of
