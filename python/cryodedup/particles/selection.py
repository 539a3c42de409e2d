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
from cryodedup.particles.inputs.picks import Floats, Picks


def compared_columns(picks: Sequence[Picks], centres: Centres, params: ParticleParams) -> Floats:
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
        if params.undo_symmetry_expansion and pick.expanded_from is not None:
            rows[:, 0] = 3
            rows[:, 2] = pick.expanded_from >> np.uint64(32)
            rows[:, 3] = pick.expanded_from & np.uint64(0xFFFFFFFF)
            continue
        rows[:, 0] = 1 if pick.format == "CryoSPARC" else 2 if pick.in_angstrom else 0
        rows[:, 1] = 0.0 if pick.format == "CryoSPARC" else np.float32(size.sizes_a)
        shifts = used_shifts(pick, centres.shift_key)
        for axis in range(dimensions):
            rows[:, 2 + axis] = pick.stored[axis]
            if axis < len(shifts):
                rows[:, 2 + dimensions + axis] = shifts[axis]
    return compared


@dataclass(frozen=True)
class Repeated:
    """Particles that have the identity of a better one, and that one."""

    particles: NDArray[np.int64]
    best: NDArray[np.int64]


def repeated_uids(
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


def select(
    compared: Floats,
    group_of: NDArray[np.uint32],
    scores: Floats | None,
    priority: NDArray[np.uint32] | None,
    repeated: Repeated | None,
    params: ParticleParams,
    progress: Callable[[int], object] | None,
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Mask of the kept, the rejected, and for each of these what it duplicates."""

    def search(rows: Any) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
        kept, rejected, of, _ = _core.deduplicate(
            compared[rows],
            group_of[rows],
            None if scores is None else scores[rows],
            None if priority is None else priority[rows],
            params.min_separation_a,
            remove_entirely=params.remove_entirely,
            threads=params.threads,
            progress=progress,
        )
        return kept, rejected, of

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


def voted(
    kept: NDArray[np.bool_],
    rejected: NDArray[np.int64],
    duplicate_of: NDArray[np.int64],
    source_of: NDArray[np.uint32],
    n_sources: int,
    needed: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Rejects the kept ones that fewer sources found than are needed there, too; they duplicate nothing but themselves.

    ``needed``: int64 (n,), how many sources have to have found each particle.
    """
    of = np.arange(len(kept))
    of[rejected] = duplicate_of
    kept = kept & (votes(of, source_of, n_sources) >= needed)
    rejected = np.flatnonzero(~kept)
    return kept, rejected, of[rejected]
