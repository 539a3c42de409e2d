"""Which sources found the same particle."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.joining import Joined

Sets = dict[tuple[int, ...], int]


def combinations(set_of: NDArray[np.int64], source_of: NDArray[np.uint32], n_sources: int) -> Sets:
    """Number of sets found by each combination of sources (at most 64 sources), the most frequent first."""
    bits = np.zeros(int(set_of.max(initial=-1)) + 1, np.uint64)
    for source in range(n_sources):
        bits[set_of[source_of == source]] |= np.uint64(1 << source)
    patterns, counts = np.unique(bits[bits > 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {
        tuple(source for source in range(n_sources) if pattern >> source & 1): count
        for pattern, count in zip(patterns[order].tolist(), counts[order].tolist(), strict=True)
    }


def in_shared(joined: Joined, counted: Sequence[NDArray[np.int64] | slice]) -> NDArray[np.int64]:
    """How many of each input's rows lie in micrographs that another input has, too, int64 (inputs, inputs).

    Micrographs that only one of two inputs saw say nothing about their agreement. ``counted``: the rows of each input, of all particles.
    """
    n, micrographs = len(joined.picks), joined.matched.count
    listed, rows = np.zeros((n, micrographs)), np.zeros((n, micrographs))
    for source, (numbers, mine) in enumerate(zip(joined.matched.numbers, counted, strict=True)):
        listed[source, list(numbers)] = 1
        rows[source] = np.bincount(joined.micrograph_of[mine], minlength=micrographs)
    return np.asarray((rows @ listed.T).astype(np.int64))


def particles_in_shared(joined: Joined) -> NDArray[np.int64]:
    """How many particles of each input lie in micrographs that another input has, too, int64 (inputs, inputs)."""
    return in_shared(joined, [slice(start, end) for start, end in pairwise(joined.bounds.tolist())])


def sets_in_shared(joined: Joined, set_of: NDArray[np.int64], compared: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same for the sets of duplicates that an input found, int64 (inputs, inputs); ``compared``: rows, ascending, that count."""
    ends = np.searchsorted(compared, joined.bounds)
    return in_shared(joined, [np.unique(set_of[compared[start:end]]) for start, end in pairwise(ends.tolist())])


def jaccard(sets: Sets, shared: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of the sets found by either of two sources that both found, float64 (sources, sources).

    ``shared``: for each two sources, the number of sets of the first in micrographs that both have.
    """
    both = np.zeros(shared.shape)
    for sources, count in sets.items():
        both[np.ix_(sources, sources)] += count
    either = shared + shared.T - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def other_reasons(outvoted: int, min_votes: int, below_min_score: int) -> str:
    """The end of a sentence about rejected particles: how many had too few votes, or too low a score; empty if none."""
    few = f", {outvoted:,} of them since fewer than {min_votes} inputs found them" if min_votes > 1 and outvoted else ""
    return few + (f", {below_min_score:,} of them for a score below the minimum" if below_min_score else "")
