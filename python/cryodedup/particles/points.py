"""The arguments of the core's searches: coordinates of particles, and their order from best to worst."""

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
        float64 (n, 2) or (n, 3); for a separation of 0 any number of columns, which must be equal.
    groups
        uint32 (n,): only particles of one group (a micrograph, a tomogram) can be duplicates. None: all are in one group.
    scores
        float64 (n,): higher is better, NaN is worst. None: earlier is better.
    priority
        uint32 (n,): lower is better, and takes precedence over the score.
    """

    coordinates: NDArray[np.float64]
    groups: NDArray[np.uint32] | None = None
    scores: NDArray[np.float64] | None = None
    priority: NDArray[np.uint32] | None = None

    def take(self, rows: Any) -> Points:
        """A selection of the particles: indices, a mask, or a slice."""
        columns = (self.coordinates, self.groups, self.scores, self.priority)
        return Points(*(None if column is None else np.ascontiguousarray(column[rows]) for column in columns))  # type: ignore[arg-type]
