"""What the searches of the core take: where particles are, and which are better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Points:
    """n particles, as contiguous arrays.

    Attributes
    ----------
    coordinates
        float64 (n, 2) or (n, 3); for a separation of 0 any number of columns that have to be equal.
    groups
        uint32 (n,): only particles of one group (a micrograph, a tomogram) can be duplicates. None: all are of one.
    scores
        float64 (n,): higher is better, NaN is worst. None: earlier is better.
    priority
        uint32 (n,): lower is better, and goes before the score.
    """

    coordinates: NDArray[np.float64]
    groups: NDArray[np.uint32] | None = None
    scores: NDArray[np.float64] | None = None
    priority: NDArray[np.uint32] | None = None

    def take(self, rows: Any) -> Points:
        """Some of them: indices, a mask, or a slice."""
        columns = (self.coordinates, self.groups, self.scores, self.priority)
        return Points(*(None if column is None else np.ascontiguousarray(column[rows]) for column in columns))  # type: ignore[arg-type]
