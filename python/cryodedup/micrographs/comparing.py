"""Comparing the micrographs of one size, and judging what is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs import pattern
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.reading import Progress, Record
from cryodedup.micrographs.statistics import FEW, LEAST_FOR_BULK, Floats, Tail, q_values, zero_tail
from cryodedup.micrographs.window import sampled, window_pairs
from cryodedup.params import MicrographParams

Say = Callable[[str], object]
Expect = Callable[[int], object]
DOUBTFUL_Z = 4.0
"""Below this no pair's ccc is measured: nothing that passes any sensible threshold is there."""
DOUBTFUL_Q = 0.5
"""Pairs of a false-discovery rate up to this are duplicates if other shots of their holes agree..."""
FAR = 0.1
"""...and the move is at least this share of the frame: nearer to zero edges of the beam or of the foil agree, too."""


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

    ``shift_px``: the move (x, y), in pixels of the micrograph, that lays the second on the first. ``pattern``: what the other shots of
    the two holes say.
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
    set: int = 0

    def turn(self) -> None:
        """Exchanges the two."""
        self.first, self.second = self.second, self.first
        self.shift_px = (-self.shift_px[0], -self.shift_px[1])


@dataclass(kw_only=True)
class Compared:
    """Micrographs of one size and what was found among them.

    ``members``: their indices in the input, in the order of exposure; ``signal``: of each the share of power that is not shot noise;
    ``null``: significances of unrelated pairs; ``observed``: those of all pairs looked at closely, of so many ``tested``
    (``decoys_tested``: pairs with mirrored ones); ``window_ccc``: of a window search,
    (i, j, ccc) of every pair.
    """

    members: list[int]
    size: tuple[int, int]
    pairs: list[Pair]
    signal: Floats
    null: Tail
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
) -> Compared:
    """Finds the duplicates among micrographs of one size, whose prepared images stand in a cache; ``places``: in the order of exposure."""
    most = None if params.max_shift is None else params.max_shift / params.bin
    threads = params.threads
    progress = told.progress
    told.stage("loading", len(records))
    session = _core.Session.load(cache, list(records), band=params.search_band, threads=threads, progress=progress)
    told.stage("screening", len(records) * (len(records) - 1) // 2)
    pairs, decoys, tested, decoys_tested, screening = _candidates(session, places, params, most, progress)
    told.stage("comparing closely", len(pairs))
    z, shifts, at_zero = session.find(pairs, most, mirrored=False, threads=threads, progress=progress)
    told.stage("comparing with mirrored ones", len(decoys))
    null_z, _, _ = session.find(decoys, most, mirrored=True, threads=threads, progress=progress)
    known = [acquisitions[i] for i in members]
    found = _Found(pairs, z.astype(float), shifts.astype(float), at_zero.astype(float))
    null = Tail.fit(null_z.astype(float), decoys_tested)
    zero = zero_tail(found.at_zero)
    if LEAST_FOR_BULK <= len(pairs) < FEW:
        screening["median_z_at_zero_shift"] = round(float(np.median(found.at_zero)), 2)
    found.settle(null, zero, tested)
    if params.threshold is None:
        size = records[0][1:3]
        significant = found.q <= params.fdr
        found = _with_partners(session, found, significant | _doubtful(found, size), known, most, null, zero, tested, params)
        significant = np.append(significant, np.zeros(len(found.pairs) - len(significant), bool))
        doubtful = _doubtful(found, size) & ~significant

        def look(rows: list[int], shifts: Floats) -> tuple[Floats, Floats]:
            near_z, near = session.find_near(found.pairs[rows], np.ascontiguousarray(shifts, np.float32), threads=threads)
            return near_z.astype(float), near.astype(float)

        heard = pattern.support(list(map(tuple, found.pairs.tolist())), found.best_z, found.shift, significant, doubtful, known, look)
        found.best_z, found.shift, words = heard.z, heard.shifts, heard.words
        chosen = np.flatnonzero(heard.accepted)
    else:
        chosen = np.arange(len(found.pairs)) if params.search == "window" else np.flatnonzero(found.best_z >= DOUBTFUL_Z)
        words = [""] * len(found.pairs)
    wanted = np.arange(len(found.pairs)) if params.search == "window" else chosen
    told.stage("measuring", len(wanted))
    measured = session.confirm(
        np.ascontiguousarray(found.pairs[wanted]),
        np.ascontiguousarray(found.shift[wanted], np.float32),
        band=params.band,
        threads=threads,
        progress=progress,
    )
    row = {int(at): k for k, at in enumerate(wanted)}
    if params.threshold is not None:
        chosen = np.array([at for at in chosen if measured[row[int(at)], 3] >= params.threshold], int)
    return Compared(
        members=list(members),
        size=(records[0][1], records[0][2]),
        pairs=[_pair(found, int(at), measured[row[int(at)]], words[int(at)], members, params) for at in chosen],
        signal=_signal(session.signal),
        null=null,
        observed=found.best_z,
        tested=tested,
        decoys_tested=decoys_tested,
        screening=screening,
        window_ccc=[(members[int(i)], members[int(j)], float(ccc)) for (i, j), ccc in zip(found.pairs, measured[:, 3], strict=True)]
        if params.search == "window"
        else [],
    )


def _candidates(
    session: _core.Session, places: Sequence[int], params: MicrographParams, most: float | None, progress: Progress
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], int, int, dict[str, Any]]:
    if params.search == "window":
        pairs = window_pairs(places, params)
        decoys = sampled(pairs)
        return pairs, decoys, len(pairs), len(decoys), {"pairs": len(pairs), "search": "window"}
    (pairs, _), (decoys, _), told = session.screen(params.sensitivity, most, threads=params.threads, progress=progress)
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


@dataclass
class _Found:
    """Pairs with their significances: at the best shift, and at none."""

    pairs: NDArray[np.uint32]
    z: Floats
    shifts: Floats
    at_zero: Floats
    best_z: Floats = field(default_factory=lambda: np.zeros(0))
    shift: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    q: Floats = field(default_factory=lambda: np.zeros(0))

    def settle(self, null: Tail, zero: Tail, tested: int) -> None:
        """Of the two shifts of each pair that which is less likely by chance, and the false-discovery rate."""
        still = zero.probability(self.at_zero) < null.probability(self.z)
        self.best_z = np.where(still, self.at_zero, self.z)
        self.shift = np.where(still[:, None], 0.0, self.shifts)
        self.q = q_values(self.best_z, still, null, zero, tested)


def _with_partners(
    session: _core.Session,
    found: _Found,
    leads: NDArray[np.bool_],
    known: Sequence[Acquisition],
    most: float | None,
    null: Tail,
    zero: Tail,
    tested: int,
    params: MicrographParams,
) -> _Found:
    """Adds the other shots of holes that may be imaged twice, where these were not looked at closely."""
    have = set(map(tuple, found.pairs.tolist()))
    wanted = pattern.partners((tuple(pair) for pair in found.pairs[leads].tolist()), known)
    missing = np.array([pair for pair in wanted if pair not in have], np.uint32).reshape(-1, 2)
    if not len(missing):
        return found
    z, shifts, at_zero = session.find(missing, most, mirrored=False, threads=params.threads)
    merged = _Found(
        np.concatenate([found.pairs, missing]),
        np.concatenate([found.z, z]),
        np.concatenate([found.shifts, shifts]),
        np.concatenate([found.at_zero, at_zero]),
    )
    merged.settle(null, zero, tested)
    return merged


def _doubtful(found: _Found, size: tuple[int, int]) -> NDArray[np.bool_]:
    far = (np.abs(found.shift) >= FAR * np.array(size)).any(axis=1)
    return np.asarray((found.q <= DOUBTFUL_Q) & far)


def _pair(found: _Found, at: int, measured: Floats, words: str, members: Sequence[int], params: MicrographParams) -> Pair:
    x, y, ncc, ccc, overlap = map(float, measured)
    i, j = (members[int(k)] for k in found.pairs[at])
    # The core tells where the second shows what the first does; the move that lays it there is the opposite.
    move = (-x * params.bin + 0.0, -y * params.bin + 0.0)
    return Pair(i, j, float(found.best_z[at]), float(found.q[at]), ncc, ccc, overlap, move, words)


def _signal(shares: NDArray[np.float32]) -> Floats:
    """Mean share of signal over the rings that are searched: up to 0.2 cycles a reduced pixel."""
    rings = shares.shape[1]
    return np.asarray(shares[:, 2 : int(0.2 / (np.sqrt(0.5) / rings))].mean(axis=1), np.float64)
