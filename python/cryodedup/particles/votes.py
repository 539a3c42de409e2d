"""How many inputs found the same particle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
