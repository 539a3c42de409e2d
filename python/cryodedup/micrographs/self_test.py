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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cryodedup import _core
from cryodedup.components import connected_components
from cryodedup.micrographs.compare import Class, Compared, Pair, compare
from cryodedup.micrographs.decide import decide
from cryodedup.micrographs.exposures import Exposures
from cryodedup.micrographs.implied import implied
from cryodedup.micrographs.planted_session import PlantedSession
from cryodedup.micrographs.planting import DAMAGE, Planted, plan
from cryodedup.micrographs.tilt import Tilts
from cryodedup.micrographs.window import window_distances
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress

BANDS = ((0.5, 1.0), (0.3, 0.5), (0.15, 0.3))
"""Recall is reported for overlaps in these ranges; the last one includes overlaps that jitter pushes below it."""
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
TOLERANCE = 4
"""A planted pair counts as found if its shift is correct to this many reduced pixels."""
OWN = 8
"""So many pairs of the session itself show how its second visits lie, and how much of the signal they keep."""
DAMAGES = (0.1, 1.25)
"""The least and the largest share of the correlation that planted exposures keep."""
CONTRADICTION, IMPLIED = 0.2, 5  # recalls that differ by more contradict each other, if so many pairs are implied by others
DIM = 0.25
"""Micrographs with less than this share of the median signal are neither exposed again nor replaced."""
MAX_NAMED = 20
"""Maximum number of false pairs named in the summary."""

Edge = tuple[int, int]


@dataclass(frozen=True)
class Band:
    """Second exposures whose overlap is in a range: how many were planted and found, and the median significance of those found."""

    overlap: tuple[float, float]
    planted: int
    found: int
    median_z: float | None

    @property
    def recall(self) -> float | None:
        """The share that was found; None if none was planted."""
        return self.found / self.planted if self.planted else None


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """Result of the self-test: which planted second exposures were found.

    Attributes
    ----------
    reason
        Why nothing was planted; empty if something was.
    micrographs, rounds
        Number of micrographs in each round, and of rounds.
    fdr
        The false-discovery rate of the test; None if ``threshold`` decides.
    damage
        The share of the correlation that second exposures were given; ``measured_on``: how many pairs of the session show it, 0: too few.
    implied
        How many pairs of the session the shifts of others imply, and how many of these were found.
    by_hole
        Whether names give holes, so that all shots of a hole were exposed again.
    bands
        Recall by overlap.
    false_pairs
        Names of accepted pairs that were not planted and that the real search does not put into the same set.
    own_false
        How many of them (listed first) are between two unchanged micrographs of the session: false, or missed by the real search.
    removed_wrongly
        Micrographs, in all rounds, that the decision removed although no kept one shows the same area.
    found
        The overlap of each planted exposure with the significance of its pair; None if it was not found.
    """

    reason: str = ""
    micrographs: int = 0
    rounds: int = 0
    fdr: float | None = None
    damage: float = DAMAGE
    measured_on: int = 0
    implied: tuple[int, int] = (0, 0)
    by_hole: bool = False
    bands: tuple[Band, ...] = ()
    false_pairs: tuple[tuple[str, str], ...] = ()
    own_false: int = 0
    removed_wrongly: int = 0
    found: tuple[tuple[float, float | None], ...] = field(default=(), repr=False)

    @property
    def planted(self) -> int:
        """Number of second exposures in all rounds."""
        return sum(band.planted for band in self.bands)

    @property
    def contradicted(self) -> bool:
        """Whether pairs that others imply are found much more rarely, or more often, than what was planted with as much overlap."""
        there, found = self.implied
        planted, hit = (sum(getattr(band, name) for band in self.bands[:2]) for name in ("planted", "found"))
        return there >= IMPLIED and planted > 0 and abs(found / there - hit / planted) > CONTRADICTION

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds."""
        if self.reason:
            return {"reason": self.reason}
        return {
            "micrographs": self.micrographs,
            "rounds": self.rounds,
            "fdr": self.fdr,
            "planted": self.planted,
            "planted_by_hole": self.by_hole,
            "kept_of_correlation": round(self.damage, 3),
            "kept_measured_on_pairs": self.measured_on,
            "pairs_implied_by_others": {"there": self.implied[0], "found": self.implied[1]},
            "recall": [
                {
                    "overlap": list(band.overlap),
                    "planted": band.planted,
                    "found": band.found,
                    "recall": None if band.recall is None else round(band.recall, 3),
                    "median_z": band.median_z,
                }
                for band in self.bands
            ],
            "false_pairs": len(self.false_pairs),
            "false_pairs_of_own_micrographs": self.own_false,
            "false_pairs_named": [list(names) for names in self.false_pairs[:MAX_NAMED]],
            "removed_wrongly": self.removed_wrongly,
        }


def self_test(
    scratch: Path,
    compared: Sequence[Compared],
    records: Mapping[int, _core.Record],
    places: Mapping[int, int],
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
    records, places
        Prepared micrographs, and places in the order of exposure, by the index of a micrograph in the input.
    """
    real = max(compared, key=lambda found: len(found.members), default=None)
    if real is None:
        return SelfTest(reason=_too_few(0))
    taken = chosen(len(real.members))
    members = [real.members[k] for k in taken]
    at, known = [places[i] for i in members], [exposures.acquisitions[i] for i in members]
    usable = [k for k, signal in enumerate(real.signal[taken]) if signal > DIM * float(np.median(real.signal))]
    if len(usable) < MIN_MICROGRAPHS:
        return SelfTest(reason=_too_few(len(usable)))
    if not real.null.is_usual:
        return SelfTest(reason="the self-test cannot tell, since unrelated pairs of this session are not what they are in others")
    fdr = params.fdr * len(members) / len(real.members)
    asked, reported = replace(params, fdr=fdr, search_flips=False), _Prefixed(progress)
    names, own = [exposures.names[i] for i in members], [pair for pair in real.pairs if not pair.orientation]
    score, damage, measured_on = Score(names, _rows(real.pairs, members), params), DAMAGE, 0
    moves = [(pair.shift_px[0] / params.bin, pair.shift_px[1] / params.bin) for pair in own] if len(own) >= OWN else []
    session = PlantedSession(scratch / "planted.cache", [records[i] for i in members], params)
    for turn in range(MAX_ROUNDS + bool(moves)):
        planted = plan(
            usable,
            known,
            session.size,
            score.same,
            number=min(PLANTED, len(usable) // 3),
            turn=turn,
            distances=window_distances(params, at[-1] + 1) if params.search == "window" else None,
            places=at,
            max_shift_px=params.max_shift_reduced_px,
            own_moves=moves,
        )
        if not planted:
            break
        shown = dict.fromkeys(range(len(members))) | {one.host: one.original for one in planted}
        maps = tilts.of([members[row if original is None else original] for row, original in shown.items()])
        of_class = Class(members=range(len(members)), records=session.records(planted, damage), places=at, acquisitions=known, maps=maps)
        found = compare(of_class, asked, scratch, reported)
        score.add(planted, found.pairs)
        seen = [(overlap, z) for overlap, z in score.found if z is not None]
        if turn == 0 and moves and len(seen) >= OWN:
            # The first round shows what the session's own second visits keep; the others are like these.
            damage = float(np.clip(DAMAGE * _strength([(pair.overlap, pair.z) for pair in own]) / _strength(seen), *DAMAGES))
            score, measured_on = Score(names, _rows(real.pairs, members), params), len(own)
            continue
        if len(score.found) >= ENOUGH or (score.rounds + 1) * len(members) ** 2 > 2 * MAX_PAIRS:
            break
    if not score.rounds:
        return SelfTest(reason="the self-test found no two micrographs, or holes with equal shots, one of which could be a second exposure")
    tested = score.result(micrographs=len(members), fdr=fdr if params.threshold is None else None, by_hole=any(one.hole for one in known))
    return replace(tested, damage=damage, measured_on=measured_on, implied=implied(real.pairs, real.size, params.bin, BANDS[1][0]))


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


class Score:
    """Collects the results of all rounds; rows number the micrographs of the self-test."""

    def __init__(self, names: Sequence[str], duplicates: Iterable[Edge], params: MicrographParams) -> None:
        self._names, self._params = names, params
        self._duplicates = list(duplicates)
        self.same = _same(self._duplicates)
        self.found: list[tuple[float, float | None]] = []
        self.rounds = 0
        self._own: set[tuple[str, str]] = set()
        self._others: list[tuple[str, str]] = []
        self._removed_wrongly = 0

    def add(self, planted: Sequence[Planted], pairs: Sequence[Pair]) -> None:
        """Counts one round."""
        self.rounds += 1
        of = {_edge(one.original, one.host): one for one in planted}
        originals = {one.host: one.original for one in planted}
        related = _same([*self._duplicates, *of])
        z: dict[Planted, float] = {}
        for pair in pairs:
            edge = _edge(pair.first, pair.second)
            if edge in of and _moved_alike(pair, of[edge], self._params.bin):
                z[of[edge]] = pair.z
            elif not originals.keys() & set(edge):
                self._own |= {self._named(edge, {})} if edge not in self.same else set()
            elif edge in of or edge not in related:
                self._others.append(self._named(edge, originals))
        self.found += [(one.overlap, z.get(one)) for one in planted]
        kept = decide(pairs, list(range(len(self._names))), self._params.least_overlap).kept
        shown = {row for edge in related for row, other in (edge, edge[::-1]) if kept[other]}
        self._removed_wrongly += sum(int(row) not in shown for row in np.flatnonzero(~kept))

    def result(self, *, micrographs: int, fdr: float | None, by_hole: bool) -> SelfTest:
        """The result of all rounds."""
        return SelfTest(
            micrographs=micrographs,
            rounds=self.rounds,
            fdr=fdr,
            by_hole=by_hole,
            bands=tuple(self._band(k) for k in range(len(BANDS))),
            false_pairs=(*sorted(self._own), *self._others),
            own_false=len(self._own),
            removed_wrongly=self._removed_wrongly,
            found=tuple(self.found),
        )

    def _band(self, k: int) -> Band:
        low, high = BANDS[k]
        low = 0.0 if k == len(BANDS) - 1 else low
        of_band = [z for overlap, z in self.found if low <= overlap and (k == 0 or overlap < high)]
        z = [value for value in of_band if value is not None]
        return Band(BANDS[k], len(of_band), len(z), round(float(np.median(z)), 2) if z else None)

    def _named(self, edge: Edge, originals: Mapping[int, int]) -> tuple[str, str]:
        def name(row: int) -> str:
            if row not in originals:
                return self._names[row]
            return f"second exposure of {self._names[originals[row]]} in place of {self._names[row]}"

        return name(edge[0]), name(edge[1])


def _too_few(usable: int) -> str:
    return f"the self-test found {usable} micrographs of one size with signal, and needs at least {MIN_MICROGRAPHS}"


def _rows(pairs: Iterable[Pair], members: Sequence[int]) -> list[Edge]:
    row_of = {i: row for row, i in enumerate(members)}
    return [_edge(row_of[pair.first], row_of[pair.second]) for pair in pairs if pair.first in row_of and pair.second in row_of]


def _edge(i: int, j: int) -> Edge:
    return (i, j) if i < j else (j, i)


def _same(edges: Iterable[Edge]) -> set[Edge]:
    """All pairs of rows that are connected by a chain of edges."""
    return {(i, j) for component in connected_components(edges) for i in component for j in component if i < j}


def _moved_alike(pair: Pair, planted: Planted, width: int) -> bool:
    sign = 1 if pair.first == planted.original else -1
    return all(abs(sign * found - width * move) <= TOLERANCE * width for found, move in zip(pair.shift_px, planted.move, strict=True))
