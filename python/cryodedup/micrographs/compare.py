"""Comparing the micrographs of one size: candidates, their best shifts, and measures of those that are duplicates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.judging import Best, Found, Judged, judge_pairs
from cryodedup.micrographs.reading import Progress, Record
from cryodedup.micrographs.significance import FEW, LEAST_FOR_BULK, Floats, Null, Peaks, q_values
from cryodedup.micrographs.tilt import Matrix, common
from cryodedup.micrographs.window import sampled, window_pairs
from cryodedup.params import MicrographParams

Say = Callable[[str], object]
Expect = Callable[[int], object]
DOUBTFUL_Z = 4.0
"""Below this no pair's ccc is measured: nothing that passes any sensible threshold is there."""
COHORT = 5000
"""Pairs taken at random, where not all are looked at closely, to see what unrelated ones reach."""


@dataclass(frozen=True)
class Told:
    """Who is told how far the job is."""

    say: Say
    expect: Expect
    progress: Progress

    def stage(self, name: str, total: int) -> None:
        """One begins that has so many micrographs or pairs."""
        self.say(name)
        self.expect(total)


@dataclass
class Pair:
    """Two micrographs that show the same; indices are those of the input.

    ``shift_px``: the move (x, y), in pixels of the micrograph, that lays the second on the first in the middle of what they share, once it
    is turned by ``rotation_deg`` (from x to y) and magnified by ``scale``. ``pattern``: what the other shots of the two holes say.
    """

    first: int
    second: int
    z: float
    q: float
    ncc: float
    ccc: float
    overlap: float
    shift_px: tuple[float, float]
    pattern: str = ""
    rotation_deg: float = 0.0
    scale: float = 1.0
    set: int = 0

    def turn(self) -> None:
        """Exchanges the two."""
        self.first, self.second = self.second, self.first
        self.shift_px = (-self.shift_px[0], -self.shift_px[1])
        self.rotation_deg, self.scale = -self.rotation_deg + 0.0, 1 / self.scale


@dataclass(kw_only=True)
class Compared:
    """Micrographs of one size and what was found among them.

    ``members``: their indices in the input, in the order of exposure; ``signal``: of each the share of power that is not shot noise;
    ``coarse_noise``: of most, the share of power at 0.04 to 0.07 cycles a reduced pixel that is as high as that at the finest detail;
    ``null``: significances of unrelated pairs; ``observed``: those of all pairs looked at closely, of so many ``tested``
    (``decoys_tested``: pairs with mirrored ones); ``window_ccc``: of a window search,
    (i, j, ccc) of every pair.
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


def compare(
    cache: Path,
    members: Sequence[int],
    records: Sequence[Record],
    places: Sequence[int],
    acquisitions: Sequence[Acquisition],
    params: MicrographParams,
    told: Told,
    maps: Sequence[Matrix] = (),
) -> Compared:
    """Finds the duplicates among micrographs of one size, whose prepared images stand in a cache.

    ``places``: in the order of exposure; ``maps``: of each micrograph how it is brought to the stage tilt of most, if some are of another.
    """
    threads, progress = params.threads, told.progress
    size = (records[0][1], records[0][2])
    told.stage("loading", len(records))
    session = _core.Session.load(cache, list(records), band=params.search_band, maps=list(maps), threads=threads, progress=progress)
    told.stage("screening", len(records) * (len(records) - 1) // 2)
    pairs, decoys, tested, decoys_tested, screening = _candidates(session, places, params, progress)
    told.stage("comparing closely", len(pairs))
    best = _best(session, pairs, params, mirrored=False, progress=progress)
    told.stage("comparing with mirrored ones", len(decoys))
    mirrored = _best(session, decoys, params, mirrored=True, progress=progress).peaks
    cohort = best.peaks
    if len(pairs) < len(records) * (len(records) - 1) // 2:
        at_random = _at_random(len(records))
        told.stage("comparing pairs at random", len(at_random))
        cohort = _best(session, at_random, params, mirrored=False, progress=progress).peaks
    null = Null.fit(mirrored, decoys_tested, cohort)
    if LEAST_FOR_BULK <= len(cohort.best) < FEW:
        screening["median_z_at_zero_shift"] = round(float(np.median(cohort.at_zero)), 2)
    found = Found.of(pairs, best, null, size)
    if params.threshold is None:
        known = [acquisitions[i] for i in members]
        decided = judge_pairs(session, found, tested, null, known, size, params)
    else:
        near = found.z >= (-np.inf if params.search == "window" else DOUBTFUL_Z)
        decided = Judged(found.pairs, found.z, found.shifts, found.turns_deg, q_values(found.chance, tested), near, [""] * len(pairs))
    chosen = np.flatnonzero(decided.accepted)
    wanted = np.arange(len(decided.pairs)) if params.search == "window" else chosen
    _place_still_ones(session, decided, wanted, threads)
    told.stage("measuring", len(wanted))
    measured = session.confirm(
        np.ascontiguousarray(decided.pairs[wanted]),
        np.ascontiguousarray(decided.shifts[wanted], np.float32),
        np.ascontiguousarray(decided.turns_deg[wanted], np.float32),
        band=params.band,
        threads=threads,
        progress=progress,
    )
    row = {int(at): k for k, at in enumerate(wanted)}
    if params.threshold is not None:
        chosen = np.array([at for at in chosen if measured[row[int(at)], 3] >= params.threshold], int)
    in_window = range(len(pairs)) if params.search == "window" else ()
    return Compared(
        members=list(members),
        size=size,
        pairs=[_pair(decided, int(at), measured[row[int(at)]], members, maps, size, params) for at in chosen],
        signal=_signal(session.signal, 0.011, 0.2),
        coarse_noise=1 - float(np.median(_signal(session.signal, 0.04, 0.07))),
        null=null,
        observed=found.z,
        tested=tested,
        decoys_tested=decoys_tested,
        screening=screening,
        window_ccc=[(members[int(pairs[at, 0])], members[int(pairs[at, 1])], float(measured[row[at], 3])) for at in in_window],
    )


def _candidates(
    session: _core.Session, places: Sequence[int], params: MicrographParams, progress: Progress
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], int, int, dict[str, Any]]:
    if params.search == "window":
        pairs = window_pairs(places, params)
        decoys = sampled(pairs)
        return pairs, decoys, len(pairs), len(decoys), {"pairs": len(pairs), "search": "window"}
    (pairs, _), (decoys, _), told = session.screen(
        params.sensitivity, params.max_shift_reduced_px, turns_deg=params.screened_turns_deg, threads=params.threads, progress=progress
    )
    tested, grid, group_size, least, least_of_group, decoys_tested, predicted = told
    screening = {
        "pairs": tested,
        "search": "all",
        "grid": list(grid) if grid[0] else None,
        "group_size": group_size,
        "least_z": round(least, 2) if grid[0] else None,
        "least_z_of_group": round(least_of_group, 2) if group_size > 1 else None,
        "predicted_recall_at_overlap_0.3": {str(size): round(recall, 3) for size, recall in predicted},
        "looked_at_closely": len(pairs),
    }
    return pairs, decoys, tested, decoys_tested, screening


def _best(session: _core.Session, pairs: NDArray[np.uint32], params: MicrographParams, *, mirrored: bool, progress: Progress) -> Best:
    """Looks at pairs at every turn; at zero shift only as they are."""
    found: Best | None = None
    for turn in params.turns_deg:
        z, shifts, at_zero, after = (
            part.astype(float)
            for part in session.find(
                pairs, params.max_shift_reduced_px, mirrored=mirrored, turn_deg=turn, threads=params.threads, progress=progress
            )
        )
        if found is None:
            found = Best(Peaks(z, after, at_zero), shifts, np.full(len(z), turn))
            continue
        better = z > found.peaks.best
        peaks = Peaks(np.where(better, z, found.peaks.best), np.where(better, after, found.peaks.next), found.peaks.at_zero)
        found = Best(peaks, np.where(better[:, None], shifts, found.shifts), np.where(better, turn, found.turns_deg))
    assert found is not None
    return found


def _at_random(n: int) -> NDArray[np.uint32]:
    """Pairs of ``n`` micrographs, the same ones every time."""
    pairs = np.sort(np.random.default_rng(1).integers(0, n, (2 * COHORT, 2)), axis=1)
    return np.ascontiguousarray(np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)[:: 1 + len(pairs) // (4 * COHORT)], np.uint32)


def _place_still_ones(session: _core.Session, decided: Judged, wanted: NDArray[np.intp], threads: int) -> None:
    """Finds where exactly pairs match that were found at zero shift, which stands for all shifts of about a pixel."""
    still = wanted[np.all(decided.shifts[wanted] == 0, axis=1)]
    places = (np.ascontiguousarray(decided.shifts[still], np.float32), np.ascontiguousarray(decided.turns_deg[still], np.float32))
    _, decided.shifts[still] = session.find_near(np.ascontiguousarray(decided.pairs[still]), *places, threads=threads)


def _pair(
    decided: Judged,
    at: int,
    measured: Floats,
    members: Sequence[int],
    maps: Sequence[Matrix],
    size: tuple[int, int],
    params: MicrographParams,
) -> Pair:
    x, y, ncc, ccc, overlap, turn, scale = map(float, measured)
    i, j = (members[int(k)] for k in decided.pairs[at])
    if maps:
        first, second = (maps[int(k)] for k in decided.pairs[at])
        (x, y), overlap = common(size, (x, y), first, second)
    # The core gives where the second shows what the first does; the move that lays it there is the opposite.
    move = (-x * params.bin + 0.0, -y * params.bin + 0.0)
    return Pair(i, j, float(decided.z[at]), float(decided.q[at]), ncc, ccc, overlap, move, decided.words[at], turn + 0.0, scale)


def _signal(shares: NDArray[np.float32], low: float, high: float) -> Floats:
    """Mean share of signal over the rings between two radii, in cycles a reduced pixel."""
    ring = np.sqrt(0.5) / shares.shape[1]
    return np.asarray(shares[:, round(low / ring) : int(high / ring)].mean(axis=1), np.float64)
