"""Scores: which column, and which way is better."""

from __future__ import annotations

from cryodedup.errors import InputError

HIGHER = frozenset(
    [
        "ncc_score",
        "cross_cor",
        "alpha",
        "class_posterior",
        "rlnAutopickFigureOfMerit",
        "rlnMaxValueProbDistribution",
        "rlnLogLikeliContribution",
        "rlnParticleFigureOfMerit",
        "Confidence",
        "score",
    ]
)
LOWER = frozenset(["error", "error_min", "pose_ess", "shift_ess", "class_ess", "rlnNrOfSignificantSamples", "rlnCtfMaxResolution"])
SAME = {"ncc_score": "rlnAutopickFigureOfMerit", "rlnAutopickFigureOfMerit": "ncc_score"}
"""The same score under its CryoSPARC and its RELION name, so that a mixed session can be given either."""

UNSET_FIGURE_OF_MERIT = -999.0
"""What RELION writes for a pick that has none."""


def short(field: str) -> str:
    """The name by which the direction of a field is known: ``pick_stats/ncc_score`` is ``ncc_score``."""
    return field.rsplit("/", 1)[-1].lstrip("_")


def candidates(field: str) -> list[str]:
    """The labels of a STAR column that a user may mean, best first."""
    bare = field.lstrip("_")
    names = [bare, f"rln{bare}", *([SAME[bare]] if bare in SAME else [])]
    return [name for name in names if "/" not in name]


def higher_is_better(field: str, order: str) -> bool:
    """Raises InputError for a field of unknown direction if the user does not give it."""
    if order != "auto":
        return order == "higher"
    if short(field) in HIGHER:
        return True
    if short(field) in LOWER:
        return False
    raise InputError(f"--score-field {field}: whether higher or lower is better is not known for it; add --score-order higher or lower")
