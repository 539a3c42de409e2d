"""Which sources found the same particle."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

Sets = dict[tuple[int, ...], int]


def sources_of_sets(set_of: NDArray[np.int64], source_of: NDArray[np.uint32], n_sources: int) -> NDArray[np.bool_]:
    """Which sources have a particle in each set, bool (n_sources, n); ``set_of``: for each particle that which names its set."""
    found = np.zeros((n_sources, len(set_of)), bool)
    found[source_of, set_of] = True
    return found


def votes(set_of: NDArray[np.int64], source_of: NDArray[np.uint32], n_sources: int) -> NDArray[np.int64]:
    """By how many sources each set was found, int64 (n,), 0 for particles that name none."""
    return np.asarray(sources_of_sets(set_of, source_of, n_sources).sum(axis=0))


def combinations(set_of: NDArray[np.int64], source_of: NDArray[np.uint32], n_sources: int) -> Sets:
    """How many sets were found by exactly these sources, the largest first."""
    found = sources_of_sets(set_of, source_of, n_sources)
    found = found[:, found.any(axis=0)]
    packed = np.packbits(found, axis=0)
    patterns, counts = np.unique(packed, axis=1, return_counts=True)
    unpacked = np.unpackbits(patterns, axis=0)[:n_sources]
    counted = Counter({tuple(np.flatnonzero(column).tolist()): int(count) for column, count in zip(unpacked.T, counts, strict=True)})
    return dict(counted.most_common())


def jaccard(sets: Sets, n_sources: int) -> NDArray[np.float64]:
    """Of the sets found by either of two sources the share found by both, float64 (n_sources, n_sources)."""
    both = np.zeros((n_sources, n_sources))
    for sources, count in sets.items():
        both[np.ix_(sources, sources)] += count
    either = both.diagonal()[:, None] + both.diagonal() - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)
