"""Which sources found the same particle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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


def jaccard(sets: Sets, n_sources: int) -> NDArray[np.float64]:
    """The share of the sets found by either of two sources that both found, float64 (n_sources, n_sources)."""
    both = np.zeros((n_sources, n_sources))
    for sources, count in sets.items():
        both[np.ix_(sources, sources)] += count
    either = both.diagonal()[:, None] + both.diagonal() - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def other_reasons(outvoted: int, min_votes: int, below_min_score: int) -> str:
    """The end of a sentence about rejected particles: how many had too few votes, or too low a score; empty if none."""
    few = f", {outvoted:,} of them since fewer than {min_votes} inputs found them" if min_votes > 1 and outvoted else ""
    return few + (f", {below_min_score:,} of them for a score below the minimum" if below_min_score else "")
