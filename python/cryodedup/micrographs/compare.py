"""Comparing the micrographs of one size: candidates, their best shifts, and measures of those that are duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.judging import Best, Found, Judged, judge_pairs
from cryodedup.micrographs.measuring import Class, Pair, measure, pair_of, window_ccc
from cryodedup.micrographs.places import Floats, Places
from cryodedup.micrographs.significance import FEW, MIN_FOR_BULK, Null, Peaks, q_values
from cryodedup.micrographs.window import sampled, window_pairs
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress

__all__ = ["COHORT", "DOUBTFUL_Z", "Class", "Compared", "Pair", "compare"]

DOUBTFUL_Z = 4.0
"""Pairs of lower significance have no ccc: no sensible threshold would accept them."""
COHORT = 10_000
"""Number of random pairs, used if not all pairs are compared closely, to measure what unrelated pairs reach."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Micrographs of one size and what was found among them.

    Attributes
    ----------
    members
        Their indices in the input, in the order of exposure.
    size
        Columns and rows, reduced.
    signal
        Of each the share of power that is not shot noise.
    coarse_noise
        Of the median one, the share of power at 0.04 to 0.07 cycles a reduced pixel that is as high as that at the finest detail.
    null, observed
        Significances of unrelated pairs, and of all pairs compared closely.
    tested, decoys_tested
        How many pairs there were, and how many with mirrored micrographs.
    window_ccc
        Of a window search (i, j, ccc) of every pair.
    """

    members: list[int]
    size: tuple[int, int]
    pairs: list[Pair]
    signal: Floats
    coarse_noise: float
    null: Null
    observed: Floats
    tested: int
    decoys_tested: int
    screening: dict[str, Any]
    window_ccc: list[tuple[int, int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Candidates:
    """Pairs to be compared closely, and pairs with mirrored micrographs, (n, 2); of how many; and what is reported of their choice."""

    pairs: NDArray[np.uint32]
    decoys: NDArray[np.uint32]
    tested: int
    decoys_tested: int
    screening: dict[str, Any]


def compare(cache: Path, of_class: Class, params: MicrographParams, progress: Progress = SILENT) -> Compared:
    """Finds the duplicates among micrographs of one class, whose prepared images stand in a cache."""
    size = of_class.size
    progress.stage("loading", len(of_class.records))
    session = _core.Session.load(
        cache,
        list(of_class.records),
        band=params.search_band,
        maps=list(of_class.maps),
        threads=params.threads,
        progress=progress.advance_to,
    )
    progress.stage("screening", of_class.every)
    candidates = _candidates(session, of_class.places, params, progress)
    best, null, few = _null(session, candidates, of_class.every, params, progress)
    found = Found.of(best, null, size)
    if params.threshold is None:
        decided = judge_pairs(session, found, candidates.tested, null, of_class.acquisitions, size, params)
    else:
        near = found.z >= (-np.inf if params.search == "window" else DOUBTFUL_Z)
        decided = Judged(found.places, found.z, q_values(found.chance, candidates.tested), near, [""] * len(near))
    measured = measure(session, decided, params, progress)
    chosen = np.flatnonzero(decided.accepted)
    if params.threshold is not None:
        chosen = chosen[measured.ccc[measured.row[chosen]] >= params.threshold]
    return Compared(
        members=list(of_class.members),
        size=size,
        pairs=[pair_of(decided, int(at), measured, of_class, params) for at in chosen],
        signal=_signal(session.signal, 0.011, 0.2),
        coarse_noise=1 - float(np.median(_signal(session.signal, 0.04, 0.07))),
        null=null,
        observed=found.z,
        tested=candidates.tested,
        decoys_tested=candidates.decoys_tested,
        screening=candidates.screening | few,
        window_ccc=window_ccc(candidates.pairs, measured, of_class) if params.search == "window" else [],
    )


def _candidates(session: _core.Session, places: Sequence[int], params: MicrographParams, progress: Progress) -> Candidates:
    if params.search == "window":
        pairs = window_pairs(places, params)
        decoys = sampled(pairs)
        return Candidates(pairs, decoys, len(pairs), len(decoys), {"pairs": len(pairs), "search": "window"})
    found = session.screen(
        params.sensitivity,
        params.max_shift_reduced_px,
        turns_deg=params.screened_turns_deg,
        threads=params.threads,
        progress=progress.advance_to,
    )
    screening = {
        "pairs": found.tested,
        "search": "all",
        "grid": list(found.grid) if found.grid else None,
        "group_size": found.pool_size,
        "least_z": round(found.min_z, 2) if found.grid else None,
        "least_z_of_group": round(found.min_z_of_pool, 2) if found.pool_size > 1 else None,
        "predicted_recall_at_overlap_0.3": {str(size): round(recall, 3) for size, recall in found.predicted_recall},
        "looked_at_closely": len(found.pairs),
    }
    return Candidates(found.pairs, found.decoys, found.tested, found.decoys_tested, screening)


def _null(
    session: _core.Session, candidates: Candidates, every: int, params: MicrographParams, progress: Progress
) -> tuple[Best, Null, dict[str, Any]]:
    """The best places of the candidates, the null distributions, and what is reported where there are few pairs."""
    progress.stage("comparing closely", len(candidates.pairs))
    best = _best(session, candidates.pairs, params, mirrored=False, progress=progress)
    progress.stage("comparing with mirrored ones", len(candidates.decoys))
    mirrored = _best(session, candidates.decoys, params, mirrored=True, progress=progress).peaks
    cohort = best.peaks
    if len(candidates.pairs) < every:
        at_random = _at_random(len(session))
        progress.stage("comparing pairs at random", len(at_random))
        cohort = _best(session, at_random, params, mirrored=False, progress=progress).peaks
    few: dict[str, Any] = {}
    if MIN_FOR_BULK <= len(cohort.best) < FEW:
        few = {"median_z_at_zero_shift": round(float(np.median(cohort.at_zero)), 2)}
    return best, Null.fit(mirrored, candidates.decoys_tested, cohort), few


def _best(session: _core.Session, pairs: NDArray[np.uint32], params: MicrographParams, *, mirrored: bool, progress: Progress) -> Best:
    """Compares pairs at every rotation; at zero shift only without rotation."""
    found: Best | None = None
    for turn_deg in params.turns_deg:
        matches = session.find(
            pairs,
            params.max_shift_reduced_px,
            mirrored=mirrored,
            turn_deg=turn_deg,
            threads=params.threads,
            progress=progress.advance_to,
        )
        peaks = Peaks(*(column.astype(float) for column in (matches.z, matches.z_next, matches.z_at_zero)))
        here = Best(peaks, Places(pairs, matches.shift_px.astype(float), np.full(len(pairs), turn_deg)))
        found = here if found is None else _better(found, here)
    assert found is not None
    return found


def _better(before: Best, now: Best) -> Best:
    """Of each pair the better of two; at zero shift the first."""
    better = now.peaks.best > before.peaks.best
    peaks = Peaks(
        np.where(better, now.peaks.best, before.peaks.best), np.where(better, now.peaks.next, before.peaks.next), before.peaks.at_zero
    )
    shift_px = np.where(better[:, None], now.places.shift_px, before.places.shift_px)
    return Best(peaks, Places(before.places.pairs, shift_px, np.where(better, now.places.turn_deg, before.places.turn_deg)))


def _at_random(n: int) -> NDArray[np.uint32]:
    """Pairs of ``n`` micrographs, the same ones every time."""
    pairs = np.sort(np.random.default_rng(1).integers(0, n, (COHORT, 2)), axis=1)
    return np.ascontiguousarray(np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0), np.uint32)


def _signal(shares: NDArray[np.float32], low: float, high: float) -> Floats:
    """Mean share of signal over the rings between two radii, in cycles a reduced pixel."""
    ring = np.sqrt(0.5) / shares.shape[1]
    return np.asarray(shares[:, round(low / ring) : int(high / ring)].mean(axis=1), np.float64)
