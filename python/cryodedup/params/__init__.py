"""Parameters and their defaults."""

from cryodedup.params.description import checked, chosen
from cryodedup.params.micrographs import MIN_OVERLAP, Keep, MicrographParams, Order, Search, Sensitivity
from cryodedup.params.particles import (
    HalfSetsRule,
    Match,
    NormalizeScores,
    ParticleParams,
    Priority,
    ScoreOrder,
    ShiftKey,
    VotesWhere,
)

__all__ = [
    "MIN_OVERLAP",
    "HalfSetsRule",
    "Keep",
    "Match",
    "MicrographParams",
    "NormalizeScores",
    "Order",
    "ParticleParams",
    "Priority",
    "ScoreOrder",
    "Search",
    "Sensitivity",
    "ShiftKey",
    "VotesWhere",
    "checked",
    "chosen",
]
