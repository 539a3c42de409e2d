"""Which of the pairs that were compared are duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.places import Floats, Places, of_one_area, overlap_at
from cryodedup.micrographs.shot_agreement import Names, Opinion, judge
from cryodedup.micrographs.significance import Null, Peaks, q_values
from cryodedup.micrographs.still_pairs import of_one_pattern
from cryodedup.params import MicrographParams

DOUBTFUL_Q = 0.5
"""Pairs with a q-value up to this may be duplicates, if other shots of their holes agree."""
FAR = 0.1
"""Shifts of less than this share of the frame along both axes are near zero, where edges of beam and foil match."""
STILL, STILL_CAUTION = 0.03, 100.0
"""If the shift is less than ``STILL`` of the frame along both axes, the probability of a pair is multiplied by ``STILL_CAUTION``, since
edges that vary a little match there. With few pairs this is not needed: such pairs must be more significant anyway."""
PATTERN_PX = 4.0
"""A fixed pattern that is still in the micrographs makes a peak that reaches so many reduced pixels from zero shift along each axis."""
SMALL_OVERLAP, SMALL_CAUTION = 0.2, 100.0
"""If the overlap is less than ``SMALL_OVERLAP`` of the frame, the probability of a pair is multiplied by ``SMALL_CAUTION``: a single
vesicle or flake in each image is a large part of such an overlap."""


@dataclass(frozen=True)
class Best:
    """Significances and shifts of each pair at its best rotation."""

    peaks: Peaks
    places: Places


@dataclass(frozen=True)
class Found:
    """Pairs with their significance and its probability: at zero shift if it is higher and less probable there, else at the best shift."""

    places: Places
    z: Floats
    chance: Floats

    @classmethod
    def of(cls, best: Best, null: Null, size: tuple[int, int], areas: NDArray[np.uint32] | None = None) -> Found:
        """Chooses between the best shift and zero shift.

        ``size``: columns and rows of the reduced micrographs; ``areas``: of each the number of the area that it shares with others, or 0.
        """
        beside_zero = np.all(np.abs(best.places.shift_px) <= PATTERN_PX, axis=1)
        elsewhere, zero = null.chance(best.peaks, beside_zero)
        if null.has_pattern:
            elsewhere = np.where(beside_zero, np.maximum(elsewhere, null.zero.probability(best.peaks.best)), elsewhere)
        still = (zero < elsewhere) & (best.peaks.at_zero >= best.peaks.best)
        places = Places(
            best.places.pairs,
            np.where(still[:, None], 0.0, best.places.shift_px),
            np.where(still, 0.0, best.places.turn_deg),
        )
        small = places.overlap(size) < SMALL_OVERLAP
        hardly_moved = places.within(size, STILL) & (null.cohort is not None)
        hardly_moved &= ~(still & (best.peaks.at_zero >= null.zero.apart))
        if areas is not None:
            hardly_moved &= ~of_one_area(best.places.pairs, areas)
        caution = np.where(small, SMALL_CAUTION, 1.0) * np.where(hardly_moved, STILL_CAUTION, 1.0)
        z = np.where(still, best.peaks.at_zero, best.peaks.best)
        return cls(places, z, np.minimum(np.where(still, zero, elsewhere) * caution, 1.0))


@dataclass(frozen=True)
class Judged:
    """Judged pairs; at the end those found only through other shots of their holes. ``words``: the agreement of these shots.

    ``of_pattern``: rows of pairs that would be accepted, but match at exactly zero shift, as frames that share a pattern do.
    """

    places: Places
    z: Floats
    q: Floats
    accepted: NDArray[np.bool_]
    words: list[str]
    of_pattern: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))


@dataclass(frozen=True)
class Recruit:
    """A pair that is a duplicate because it has the shift of an accepted pair of the same holes, its lead; ``q``: that of the lead."""

    chance: float
    z: float
    shift_px: tuple[float, float]
    turn_deg: float
    q: float
    words: str


def judge_pairs(
    session: _core.Session,
    found: Found,
    tested: int,
    null: Null,
    known: Sequence[Acquisition],
    size: tuple[int, int],
    params: MicrographParams,
    among: NDArray[np.bool_] | None = None,
) -> Judged:
    """Accepts pairs by their q-values, after measuring the other shots of their holes.

    Parameters
    ----------
    tested
        The number of all pairs; ``found`` contains those that were compared closely.
    known
        Metadata of the session's micrographs.
    size
        Columns and rows of the reduced micrographs.
    among
        Bool (n,): only these are judged; None: all.
    """
    asked = np.ones(len(found.z), bool) if among is None else among

    def measure_near(places: Places) -> tuple[Floats, Floats]:
        near = session.find_near(places, threads=params.threads)
        return near.z.astype(float), near.shift_px.astype(float)

    def elsewhere(z: Floats, shift_px: Floats) -> Floats:
        return null.elsewhere(z, overlap_at(shift_px, size))

    rows = np.flatnonzero((q_values(found.chance, tested) <= DOUBTFUL_Q) & asked)
    leads = found.places.of(rows)
    near_zero, still = (leads.within(size, share) for share in (FAR, STILL))
    opinions = judge(leads, found.z[rows], near_zero, still, Names.of(known), session.areas(), measure_near, elsewhere)
    chance = found.chance.copy()
    for row, opinion in zip(rows, opinions, strict=True):
        chance[row] = opinion.chance(float(chance[row]))
    q = q_values(chance, tested)
    accepted = (q <= params.fdr) & asked
    leading = {int(row): opinion for row, opinion in zip(rows, opinions, strict=True) if accepted[row]}
    words = [""] * len(q)
    for at, opinion in leading.items():
        words[at] = opinion.words(known, params.fdr)
    return _with_recruits(Judged(found.places, found.z, q, accepted, words), leading, params.fdr)


def without_patterns(judged: Judged, session: _core.Session, threads: int) -> Judged:
    """Does not accept pairs that share a pattern of the camera, not a scene."""
    rows = np.flatnonzero(judged.accepted)
    of_pattern = rows[of_one_pattern(session, judged.places.of(rows), threads)]
    accepted = judged.accepted.copy()
    accepted[of_pattern] = False
    return replace(judged, accepted=accepted, of_pattern=of_pattern)


class _Rows:
    """Finds pairs in a table of pairs, of which there may be hundreds of thousands."""

    def __init__(self, pairs: NDArray[np.uint32]) -> None:
        self._keys = _keys(pairs)
        self._order = np.argsort(self._keys)

    def of(self, pairs: NDArray[np.uint32]) -> NDArray[np.intp]:
        """The row of each pair; -1 for a pair that is not in the table."""
        if not len(self._keys):
            return np.full(len(pairs), -1)
        rows = self._order[np.minimum(np.searchsorted(self._keys, _keys(pairs), sorter=self._order), len(self._order) - 1)]
        return np.where(self._keys[rows] == _keys(pairs), rows, -1)


def _keys(pairs: NDArray[np.uint32]) -> NDArray[np.uint64]:
    return pairs[:, 0].astype(np.uint64) << np.uint64(32) | pairs[:, 1].astype(np.uint64)


def _with_recruits(judged: Judged, leading: Mapping[int, Opinion], fdr: float) -> Judged:
    """Adds pairs that are not accepted by themselves, but have the shift expected from an accepted pair of the same holes."""
    recruits = _recruits(judged, leading, fdr)
    keys = sorted(recruits)
    rates = q_values(np.array([recruits[key].chance for key in keys]), len(keys))
    taken = [(key, max(float(rate), recruits[key].q)) for key, rate in zip(keys, rates, strict=True) if rate <= fdr]
    pairs = np.array([key for key, _ in taken], np.uint32).reshape(-1, 2)
    rows = _Rows(judged.places.pairs).of(pairs)
    new = np.flatnonzero(rows < 0)
    rows[new] = len(judged.z) + np.arange(len(new))
    places = Places(
        np.append(judged.places.pairs, pairs[new], axis=0),
        np.append(judged.places.shift_px, np.zeros((len(new), 2)), axis=0),
        np.append(judged.places.turn_deg, np.zeros(len(new))),
    )
    z, q = np.append(judged.z, np.zeros(len(new))), np.append(judged.q, np.ones(len(new)))
    accepted, words = np.append(judged.accepted, np.zeros(len(new), bool)), [*judged.words, *[""] * len(new)]
    for row, (key, rate) in zip(rows.tolist(), taken, strict=True):
        one = recruits[key]
        z[row], places.shift_px[row], places.turn_deg[row], q[row], accepted[row] = one.z, one.shift_px, one.turn_deg, rate, True
        words[row] = one.words
    return Judged(places, z, q, accepted, words)


def _recruits(judged: Judged, leading: Mapping[int, Opinion], fdr: float) -> dict[tuple[int, int], Recruit]:
    """Recruits by pair, the earlier micrograph first; of several leads the one by which the pair is least likely by chance."""
    by_themselves = {(int(i), int(j)) for i, j in judged.places.pairs[judged.accepted]}
    recruits: dict[tuple[int, int], Recruit] = {}
    for row, opinion in leading.items():
        if opinion.still:
            continue
        for member in opinion.recruits(by_themselves, fdr):
            i, j = (int(k) for k in opinion.members[member])
            key, chance = (min(i, j), max(i, j)), float(opinion.chances[member])
            if key not in by_themselves and chance < (recruits[key].chance if key in recruits else 2.0):
                x, y = (float(value) for value in opinion.shift_px[member])
                turn_deg = opinion.turn_deg if (i, j) == key else -opinion.turn_deg
                recruits[key] = Recruit(chance, float(opinion.z[member]), (x, y), turn_deg, float(judged.q[row]), judged.words[row])
    return recruits
