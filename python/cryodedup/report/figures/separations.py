"""The separations that are marked in a figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cryodedup.particles.analysis.separation import Suggestion
from cryodedup.report.layers import Rules


@dataclass(frozen=True, kw_only=True)
class Separations:
    """The separation used, the one that the distances suggest, and the usual distance of neighbours, Å; None: unknown."""

    used_a: float
    suggested_a: float | None
    neighbours_a: float | None

    @classmethod
    def of(cls, suggestion: Suggestion, used_a: float) -> Separations:
        """The separations from a suggestion."""
        return cls(used_a=used_a, suggested_a=suggestion.suggested_a, neighbours_a=suggestion.usual_distance_a)

    def rules(self) -> list[Rules]:
        """Vertical lines with labels."""
        found = [Rules(at=np.array([self.used_a]), label=f"used: {self.used_a:g} Å")]
        if self.suggested_a is not None:
            at, label = np.array([self.suggested_a]), f"suggested: {self.suggested_a:.0f} Å"
            found.append(Rules(at=at, paint="second", dash="dotted", label=label))
        if self.neighbours_a is not None:
            at, label = np.array([self.neighbours_a]), f"neighbours: {self.neighbours_a:.0f} Å"
            found.append(Rules(at=at, paint="grey", dash="dotted", label=label))
        return found
