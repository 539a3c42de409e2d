"""Estimates the recall: second exposures of this session's micrographs are planted, and the whole search and decision are run on them.

At most :data:`MAX_MICROGRAPHS` micrographs are taken, in runs of neighbours, since the camera's fixed pattern is measured on neighbours.
Some are replaced by second exposures of others (:mod:`cryodedup.micrographs.planting`), and ``compare`` and ``decide`` are run with the
parameters of the real search. Small sessions are tested in several rounds, each with different second exposures.

In a large session more pairs are tested, and more of them match by chance. The false-discovery rate of the self-test is therefore that of
the real search times the share of the session that is tested. Pairs then need the same significance in both, if the rest of the session has
as many duplicates.

Where the session shows :data:`OWN` pairs, every other second exposure lies as one of them does, and all keep as much of the correlation.
The recall is too high where a large session is screened in groups (``predicted_recall_at_overlap_0.3``), too low where names do not give
holes: each second exposure is then planted alone, without the support of the other shots of its hole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.blocks import window_distances
from cryodedup.micrographs.compare import Class, Compared, compare
from cryodedup.micrographs.exposures import Exposures
from cryodedup.micrographs.measuring import Pair
from cryodedup.micrographs.planting import DAMAGE, Planted, Planter, drawn
from cryodedup.micrographs.self_test_score import BANDS, Edge, Score, SelfTest, edge_of
from cryodedup.micrographs.tilt import Tilts
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress


class PlantedSession:
    """A copy of some prepared micrographs; :class:`cryodedup._core.Session` can load its records.

    Parameters
    ----------
    path
        Path of the copy.
    records
        The prepared micrographs, all of one size.
    """

    def __init__(self, path: Path, records: Sequence[_core.Record], params: MicrographParams) -> None:
        self.size = (records[0].width, records[0].height)
        self._copy = _core.Preparation.open(path, resume=False)
        self._records = [self._copy.copy(record) for record in records]
        loaded = _core.Session.load(self._records, band=params.search_band, threads=params.threads)
        self._signal: NDArray[np.float64] = loaded.signal.astype(float)
        # What all have in common stays where it is, in a second exposure, too.
        mean = np.zeros(self.size[::-1])
        for record in self._records:
            mean += _core.read_pixels(record)
        self._mean: NDArray[np.float64] = mean / len(self._records)

    def records(self, planted: Sequence[Planted], damage: float) -> list[_core.Record]:
        """Writes second exposures that keep a share of the correlation; returns all records, with those of the hosts replaced."""
        records = list(self._records)
        planter = Planter(self.size, self._signal.shape[1], damage)
        self._copy.truncate_after(self._records[-1])
        for one in planted:
            original, host = (_core.read_pixels(self._records[row]) for row in (one.original, one.host))
            original, host = (np.where(image == 0, 0, image - self._mean) for image in (original, host))
            pixels = planter.second_exposure(original, host, one.move, self._signal[one.original])
            pixels = np.where(pixels == 0, 0, pixels + self._mean)
            records[one.host] = self._copy.add_like(pixels, self._records[one.host])
        return records


def implied(pairs: Sequence[Pair], size: tuple[int, int], bin: int, min_overlap: float) -> tuple[int, int]:
    """How many pairs have to be there, with so much overlap, and how many of these were found.

    Parameters
    ----------
    pairs
        What was found; the most significant ones give the position of each micrograph in its set, and do not count.
    size, bin
        Columns and rows of the reduced micrographs, and the pixels that a reduced one takes.
    """
    position: dict[int, NDArray[np.float64]] = {i: np.zeros(2) for pair in pairs for i in (pair.first, pair.second)}
    set_of = {i: [i] for i in position}
    others = {(min(pair.first, pair.second), max(pair.first, pair.second)) for pair in pairs}
    given = set()
    for pair in sorted(pairs, key=lambda pair: -pair.z):
        first, second = set_of[pair.first], set_of[pair.second]
        if first is not second:
            given.add((min(pair.first, pair.second), max(pair.first, pair.second)))
            moved = position[pair.first] + np.array(pair.shift_px) / bin - position[pair.second]
            position |= {i: position[i] + moved for i in second}
            first += second
            set_of |= dict.fromkeys(second, first)
    sets = [sorted(one) for i, one in set_of.items() if one[0] == i and len(one) > 2]
    rest = [(i, j) for one in sets for k, i in enumerate(one) for j in one[k + 1 :] if (i, j) not in given]
    there = [pair for pair in rest if _overlap(position[pair[1]] - position[pair[0]], size) >= min_overlap]
    return len(there), sum(pair in others for pair in there)


def _overlap(shift_px: NDArray[np.float64], size: tuple[int, int]) -> float:
    """The share of the frame (columns, rows) that overlaps at a shift (x, y)."""
    return float(np.prod(np.maximum(1 - np.abs(shift_px) / np.array(size), 0)))


MAX_MICROGRAPHS = 300
RUNS = 3
"""Number of runs of neighbours that are taken from a larger session."""
MIN_MICROGRAPHS = 12
"""The smallest number of micrographs with signal for a test."""
PLANTED, ENOUGH = 48, 40
"""Second exposures to plant in a round, at most a third of the micrographs; after ``ENOUGH`` in all rounds no further round follows."""
MAX_ROUNDS = 8  # after one that measures how much of the signal second exposures keep
MAX_PAIRS = 45_000
"""Maximum number of pairs in all rounds; a round that would exceed it is not run."""
OWN = 8
"""So many pairs of the session itself show how its second visits lie, and how much of the signal they keep."""
DAMAGES = (0.1, 1.25)
"""The least and the largest share of the correlation that planted exposures keep."""
DIM = 0.25
"""Micrographs with less than this share of the median signal are neither exposed again nor replaced."""


def self_test(
    scratch: Path,
    compared: Sequence[Compared],
    records: Mapping[int, _core.Record],
    ordinals: Mapping[int, int],
    exposures: Exposures,
    tilts: Tilts,
    params: MicrographParams,
    progress: Progress = SILENT,
) -> SelfTest:
    """Plants second exposures in the largest class of micrographs, and runs the search on them.

    Parameters
    ----------
    scratch
        An empty directory for a copy of some prepared micrographs, with the planted ones.
    compared
        Results of the real search.
    records, ordinals
        Prepared micrographs, and ordinals in the order of exposure, by the index of a micrograph in the input.
    """
    real = max(compared, key=lambda found: len(found.members), default=None)
    if real is None:
        return SelfTest(reason=_too_few(0))
    taken = chosen(len(real.members))
    members = [real.members[k] for k in taken]
    at, known = [ordinals[i] for i in members], [exposures.acquisitions[i] for i in members]
    of_pattern = {i for pair in real.of_pattern for i in pair}  # a copy of such a pattern would match others of it
    least = DIM * float(np.median(real.signal))
    usable = [k for k, signal in enumerate(real.signal[taken]) if signal > least and members[k] not in of_pattern]
    if len(usable) < MIN_MICROGRAPHS:
        return SelfTest(reason=_too_few(len(usable)))
    if not real.null.is_usual:
        return SelfTest(reason="no result: unrelated pairs of this session match better, or vary more, than is usual")
    fdr = params.fdr * len(members) / len(real.members)
    asked, reported = replace(params, fdr=fdr, search_flips=False), _Prefixed(progress)
    names, own = [exposures.names[i] for i in members], [pair for pair in real.pairs if not pair.orientation]
    same = _rows([*((pair.first, pair.second) for pair in real.pairs), *real.of_pattern], members)
    score, damage, measured_on = Score(names, same, params), DAMAGE, 0
    moves = [(pair.shift_px[0] / params.bin, pair.shift_px[1] / params.bin) for pair in own] if len(own) >= OWN else []
    session = PlantedSession(scratch / "planted.cache", [records[i] for i in members], params)
    for turn in range(MAX_ROUNDS + bool(moves)):
        planted = drawn(
            usable,
            known,
            session.size,
            score.same,
            number=min(PLANTED, len(usable) // 3),
            turn=turn,
            distances=window_distances(params, at[-1] + 1) if params.by_window else None,
            ordinals=at,
            max_shift_reduced_px=params.max_shift_reduced_px,
            own_moves=moves,
        )
        if not planted:
            break
        shown = dict.fromkeys(range(len(members))) | {one.host: one.original for one in planted}
        maps = tilts.of([members[row if original is None else original] for row, original in shown.items()])
        of_class = Class(members=range(len(members)), records=session.records(planted, damage), ordinals=at, acquisitions=known, maps=maps)
        # Behind a planted exposure its host's scene shines through, as behind a pattern.
        found = compare(of_class, asked, scratch, reported, share_patterns=False)
        score.add(planted, found.pairs)
        seen = [(overlap, z) for overlap, z in score.found if z is not None]
        if turn == 0 and moves and len(seen) >= OWN:
            # The first round shows what the session's own second visits keep; the others are like these.
            damage = float(np.clip(DAMAGE * _strength([(pair.overlap, pair.z) for pair in own]) / _strength(seen), *DAMAGES))
            score, measured_on = Score(names, same, params), len(own)
            continue
        if len(score.found) >= ENOUGH or (score.rounds + 1) * len(members) ** 2 > 2 * MAX_PAIRS:
            break
    if not score.rounds:
        return SelfTest(reason="no result: no micrograph, and no hole with equal shots, could be replaced by a second exposure of another")
    tested = score.result(micrographs=len(members), fdr=fdr if params.threshold is None else None, by_hole=any(one.hole for one in known))
    tested = replace(tested, damage=damage, measured_on=measured_on, implied=implied(real.pairs, real.size, params.bin, BANDS[1][0]))
    return SelfTest(reason=tested.contradiction) if tested.contradiction else tested


def _strength(found: Sequence[tuple[float, float]]) -> float:
    """The median significance at full overlap; ``found``: overlap and significance of each pair."""
    return float(np.median([z / overlap**0.5 for overlap, z in found]))


class _Prefixed:
    """Passes on the progress of the search within the self-test, with a prefix."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def stage(self, name: str, total: int | None = None) -> None:
        self._progress.stage(f"self-test: {name}", total)

    def advance_to(self, done: int) -> None:
        self._progress.advance_to(done)

    def note(self, text: str) -> None:
        self._progress.note(text)


def chosen(n: int) -> list[int]:
    """Indices of the micrographs to test, of ``n`` in the order of exposure: all, or runs spread from the first to the last."""
    if n <= MAX_MICROGRAPHS:
        return list(range(n))
    length = MAX_MICROGRAPHS // RUNS
    starts = [round(k * (n - length) / (RUNS - 1)) for k in range(RUNS)]
    return [start + k for start in starts for k in range(length)]


def _too_few(usable: int) -> str:
    return f"no result: the self-test needs at least {MIN_MICROGRAPHS} micrographs of one size with signal, and found {usable}"


def _rows(pairs: Iterable[Edge], members: Sequence[int]) -> list[Edge]:
    row_of = {i: row for row, i in enumerate(members)}
    return [edge_of(row_of[i], row_of[j]) for i, j in pairs if i in row_of and j in row_of]
