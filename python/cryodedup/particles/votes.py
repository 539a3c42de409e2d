"""How many inputs found the same particle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def votes(set_of: NDArray[np.int64], source_of: NDArray[np.uint32], n_sources: int) -> NDArray[np.int64]:
    """By how many sources each set was found, int64 (n,), 0 for particles that name none; ``set_of``: that which names each one's set."""
    count = np.zeros(len(set_of), np.int64)
    for source in range(n_sources):
        found = np.zeros(len(set_of), bool)
        found[set_of[source_of == source]] = True
        count += found
    return count
