"""The order from the best particle to the worst: priority, then score, then input order. The searches of the core use the same order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.inputs.picks import Floats


@dataclass(frozen=True)
class Ranking:
    """What decides which of several duplicates is kept.

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
