"""Scores: which column, and which way is better."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError
from cryodedup.names import named
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.particles.inputs.pixel_sizes import chosen_by_input

if TYPE_CHECKING:
    from cryodedup.params import ParticleParams

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
        "cc",
        "rlnLCCmax",
    ]
)
LOWER = frozenset(["error", "error_min", "pose_ess", "shift_ess", "class_ess", "rlnNrOfSignificantSamples", "rlnCtfMaxResolution"])
SAME = {"ncc_score": "rlnAutopickFigureOfMerit", "rlnAutopickFigureOfMerit": "ncc_score"}
"""The same score under its CryoSPARC and its RELION name, so that a mixed session can be given either."""

MAX_LISTED = 12
"""Columns named where the one asked for is not there."""

UNSET_FIGURES_OF_MERIT = (-999.0, -9999.0)
"""Values that RELION and EPicker write for a pick without a score."""


def short(field: str) -> str:
    """The name by which the direction of a field is known: ``pick_stats/ncc_score`` is ``ncc_score``."""
    return field.rsplit("/", 1)[-1].lstrip("_")


def candidates(field: str) -> list[str]:
    """The labels of a STAR column that a user may mean, best first."""
    bare = field.lstrip("_")
    names = [bare, f"rln{bare}", *([SAME[bare]] if bare in SAME else [])]
    return [name for name in names if "/" not in name]


def missing_score(label: str, wanted: str, columns: Iterable[str]) -> InputError:
    """The error for a file without such a column: with its columns, those of the nearest names first."""
    near = sorted(columns, key=lambda name: -SequenceMatcher(None, _bare(name), _bare(wanted)).ratio())
    more = f" and {len(near) - MAX_LISTED} more" if len(near) > MAX_LISTED else ""
    return InputError(
        kind="missing",
        path=label,
        found=f"no column {wanted} ({named('score_field')})",
        expected="it in every input",
        remedy=f"columns, nearest names first: {', '.join(near[:MAX_LISTED]) or 'none'}{more}",
    )


def _bare(field: str) -> str:
    return short(field).removeprefix("rln").lower()


def higher_is_better(field: str, order: str) -> bool:
    """Raises InputError for a field of unknown direction if the user does not give it."""
    if order != "auto":
        return order == "higher"
    if short(field) in HIGHER:
        return True
    if short(field) in LOWER:
        return False
    raise InputError(
        kind="ambiguous",
        field=named("score_field", field),
        reason="it is not known if higher or lower is better",
        remedy=f"add {named('score_order')} higher or lower",
    )


def below_min_score(picks: Sequence[Picks], params: ParticleParams, warnings: list[str]) -> NDArray[np.bool_] | None:
    """Particles whose score is lower than ``params.min_score``, bool (n,); None if there are none."""
    limits = chosen_by_input([pick.label for pick in picks], params.min_score, "min_score")
    columns = []
    for pick, limit in zip(picks, limits, strict=True):
        low = np.zeros(len(pick), bool)
        if limit is not None and pick.scores is None and len(pick):
            warnings.append(f"{pick.label}: {named('min_score', format(limit, 'g'))} not used: it has no score")
        elif limit is not None and pick.scores is not None:
            if not higher_is_better(pick.scores.field, params.score_order):
                raise InputError(
                    kind="conflict",
                    path=pick.label,
                    field=named("min_score"),
                    found=f"{pick.scores.field}, where lower is better",
                    expected="another score",
                )
            low = pick.scores.values < limit
        columns.append(low)
    below = np.concatenate(columns)
    return below if below.any() else None


def are_ranks_compared(params: ParticleParams, inputs: int) -> bool:
    """Whether scores are compared as ranks within each input."""
    if params.score_field == "none":
        return False
    return params.normalize_scores == "rank" or (params.normalize_scores == "auto" and inputs > 1)


def compare(
    picks: Sequence[Picks], params: ParticleParams, warnings: list[str], below: NDArray[np.bool_] | None = None
) -> tuple[Floats | None, list[dict[str, object]]]:
    """All inputs' scores in one column, higher is better, None: input order; and a description of each input's scores for the summary.

    ``below``: particles that take no part, bool (n,): ranks are those of the others.
    """
    if params.score_field == "none":
        return _random(picks, params.seed), [{"field": "random", "seed": params.seed} for _ in picks]
    rank = are_ranks_compared(params, len(picks))
    described: list[dict[str, object]] = []
    columns: list[Floats] = []
    for pick in picks:
        if pick.scores is None:
            described.append({"field": None, "order": "input"})
            columns.append(np.full(len(pick), np.nan))
            continue
        field, values = pick.scores.field, pick.scores.values
        higher = higher_is_better(field, params.score_order)
        missing = int(np.isnan(values).sum())
        low, high = (float(np.nanmin(values)), float(np.nanmax(values))) if missing < len(values) else (np.nan, np.nan)
        if missing == len(values) and missing and len(picks) == 1:
            warnings.append(f"{pick.label}: score {field} is missing for every particle: input order decides")
        elif low == high and len(values) > 1:
            effect = "all rank in the middle of their input" if rank else "input order decides among them"
            warnings.append(f"{pick.label}: {_score(field)} is {low:g} for every particle that has one: {effect}")
        described.append({"field": field, "order": "higher" if higher else "lower", "missing": missing, "constant": low == high})
        signed = values if higher else -values
        if below is not None:
            start = sum(map(len, columns))
            signed = np.where(below[start : start + len(pick)], np.nan, signed)
        columns.append(_ranks(signed) if rank else signed)
    scored = [not np.isnan(column).all() for column in columns]
    if not any(pick.scores is not None for pick in picks):
        return None, described
    without = ", ".join(pick.label for pick, has in zip(picks, scored, strict=True) if not has and len(pick))
    if without and any(scored) and params.priority != "input":
        warnings.append(
            f"no score in {without}: its particles rank below all with a score; to rank by input order, add {named('priority', 'input')}"
        )
    return columns[0] if len(columns) == 1 else np.concatenate(columns), described


def _score(field: str) -> str:
    return field if field == "score" else f"score {field}"


def _ranks(values: Floats) -> Floats:
    """The fraction of the values that are lower, ties counted half; NaN stays."""
    ranks = np.full(len(values), np.nan)
    there = ~np.isnan(values)
    _, inverse, counts = np.unique(values[there], return_inverse=True, return_counts=True)
    ranks[there] = ((np.cumsum(counts) - counts / 2) / max(1, counts.sum()))[inverse]
    return ranks


def _random(picks: Sequence[Picks], seed: int) -> Floats:
    """A number a particle from the seed, its micrograph's name and its rank in it: the order of micrographs in a file changes nothing."""
    columns = []
    for i, pick in enumerate(picks):
        order = np.argsort(pick.micrograph_of, kind="stable")
        counts = np.bincount(pick.micrograph_of)
        rank = np.empty(len(pick), np.uint64)
        rank[order] = np.arange(len(pick)) - np.repeat(np.cumsum(counts) - counts, counts)
        keys = [
            hashlib.blake2b(f"{seed}\0{i}\0{m.name}".encode("utf-8", "surrogateescape"), digest_size=8).digest() for m in pick.micrographs
        ]
        key = np.frombuffer(b"".join(keys), np.uint64)[pick.micrograph_of]
        columns.append(_mixed(key + rank * np.uint64(0x9E3779B97F4A7C15)))
    return np.concatenate(columns)


def _mixed(words: NDArray[np.uint64]) -> Floats:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014), as numbers in [0, 1)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    words = (words ^ (words >> np.uint64(31))) >> np.uint64(11)
    return words.astype(np.float64) * 2.0**-53
