"""Comparing the micrographs of one size: candidates, their best shifts, and measures of those that are duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.judging import Best, Found, Judged, judge_pairs
from cryodedup.micrographs.places import Floats, Places
from cryodedup.micrographs.significance import FEW, MIN_FOR_BULK, Null, Peaks, q_values
from cryodedup.micrographs.tilt import Matrix, common
from cryodedup.micrographs.window import sampled, window_pairs
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress

DOUBTFUL_Z = 4.0
"""Below this no pair's ccc is measured: nothing that passes any sensible threshold is there."""
COHORT = 5000
"""Pairs taken at random, where not all are compared closely, to see what unrelated ones reach."""


@dataclass(frozen=True)
class Pair:
    """Two micrographs that show the same; indices are those of the input.

    Attributes
    ----------
    shift_px
        The move (x, y), in pixels of the micrograph, that lays the second on the first in the middle of what they share, once it is turned
        by ``rotation_deg`` (from x to y) and magnified by ``scale``.
    shot_agreement
        What the other shots of the two holes say: see :meth:`cryodedup.micrographs.shot_agreement.Opinion.words`.
    set
        The set of duplicates, from 1; 0: the pair is none of duplicates.
    """

    first: int
    second: int
    z: float
    q: float
    ncc: float
    ccc: float
    overlap: float
    shift_px: tuple[float, float]
    shot_agreement: str = ""
    rotation_deg: float = 0.0
    scale: float = 1.0
    set: int = 0


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


@dataclass(frozen=True, kw_only=True)
class Class:
    """Micrographs that are compared with each other, of one size and pixel size, in the order of exposure.

    Attributes
    ----------
    members
        Their indices in the input.
    records
        Their prepared images in the cache.
    places
        Of each its place in the order of exposure of all micrographs.
    acquisitions
        What is known of each.
    maps
        Of each how it is brought to the stage tilt of the others; empty where all are tilted alike.
    """

    members: Sequence[int]
    records: Sequence[_core.Record]
    places: Sequence[int]
    acquisitions: Sequence[Acquisition]
    maps: Sequence[Matrix] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the reduced micrographs."""
        return (self.records[0].width, self.records[0].height)

    @property
    def every(self) -> int:
        """How many pairs there are."""
        return len(self.records) * (len(self.records) - 1) // 2


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
    measured = _measure(session, decided, params, progress)
    chosen = np.flatnonzero(decided.accepted)
    if params.threshold is not None:
        chosen = chosen[measured.ccc[measured.row[chosen]] >= params.threshold]
    return Compared(
        members=list(of_class.members),
        size=size,
        pairs=[_pair(decided, int(at), measured, of_class, params) for at in chosen],
        signal=_signal(session.signal, 0.011, 0.2),
        coarse_noise=1 - float(np.median(_signal(session.signal, 0.04, 0.07))),
        null=null,
        observed=found.z,
        tested=candidates.tested,
        decoys_tested=candidates.decoys_tested,
        screening=candidates.screening | few,
        window_ccc=_window_ccc(candidates.pairs, measured, of_class) if params.search == "window" else [],
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
    """Compares pairs at every turn; at zero shift only as they are."""
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
    pairs = np.sort(np.random.default_rng(1).integers(0, n, (2 * COHORT, 2)), axis=1)
    return np.ascontiguousarray(np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)[:: 1 + len(pairs) // (4 * COHORT)], np.uint32)


@dataclass(frozen=True)
class Measured:
    """What was measured of some judged pairs at the full reduced resolution; ``row``: of each judged pair its row here, or -1."""

    found: _core.Confirmed
    row: NDArray[np.intp]

    @property
    def ccc(self) -> Floats:
        return self.found.ccc


def _measure(session: _core.Session, decided: Judged, params: MicrographParams, progress: Progress) -> Measured:
    """The accepted pairs, or all of a window."""
    wanted = np.arange(len(decided.places)) if params.search == "window" else np.flatnonzero(decided.accepted)
    places = _with_exact_still_ones(session, decided.places.of(wanted), params.threads)
    progress.stage("measuring", len(wanted))
    found = session.confirm(places, band=params.band, threads=params.threads, progress=progress.advance_to)
    row = np.full(len(decided.places), -1)
    row[wanted] = np.arange(len(wanted))
    return Measured(found, row)


def _with_exact_still_ones(session: _core.Session, places: Places, threads: int) -> Places:
    """Where exactly pairs match that were found at zero shift, which stands for all shifts of about a pixel."""
    still = np.flatnonzero(np.all(places.shift_px == 0, axis=1))
    shift_px = places.shift_px.copy()
    shift_px[still] = session.find_near(places.of(still), threads=threads).shift_px
    return replace(places, shift_px=shift_px)


def _pair(decided: Judged, at: int, measured: Measured, of_class: Class, params: MicrographParams) -> Pair:
    row, found = measured.row[at], measured.found
    (x, y), overlap = (float(value) for value in found.shift_px[row]), float(found.overlap[row])
    first, second = (int(k) for k in decided.places.pairs[at])
    if of_class.maps:
        (x, y), overlap = common(of_class.size, (x, y), of_class.maps[first], of_class.maps[second])
    return Pair(
        of_class.members[first],
        of_class.members[second],
        float(decided.z[at]),
        float(decided.q[at]),
        float(found.ncc[row]),
        float(found.ccc[row]),
        overlap,
        (x * params.bin + 0.0, y * params.bin + 0.0),
        decided.words[at],
        float(found.rotation_deg[row]) + 0.0,
        float(found.scale[row]),
    )


def _window_ccc(pairs: NDArray[np.uint32], measured: Measured, of_class: Class) -> list[tuple[int, int, float]]:
    """Of every pair of a window the two micrographs, by their indices in the input, and the ccc."""
    first, second = np.asarray(of_class.members)[pairs.T.astype(np.intp)] if len(pairs) else np.zeros((2, 0), int)
    return list(zip(first.tolist(), second.tolist(), measured.ccc[measured.row[: len(pairs)]].tolist(), strict=True))


def _signal(shares: NDArray[np.float32], low: float, high: float) -> Floats:
    """Mean share of signal over the rings between two radii, in cycles a reduced pixel."""
    ring = np.sqrt(0.5) / shares.shape[1]
    return np.asarray(shares[:, round(low / ring) : int(high / ring)].mean(axis=1), np.float64)
