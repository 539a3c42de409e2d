"""Which of the pairs that were looked at are duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.shot_agreement import Opinion, judge, leads_of
from cryodedup.micrographs.significance import Floats, Null, Peaks, q_values
from cryodedup.params import MicrographParams

DOUBTFUL_Q = 0.5
"""Pairs of a false-discovery rate up to this may be duplicates, if other shots of their holes agree."""
FAR = 0.1
"""Moves of less than this share of the frame along both axes are near zero: edges of beam and foil lie there."""
STILL, STILL_CAUTION = 0.03, 100.0
"""The chance of pairs that moved by less than this share of the frame along both axes is multiplied: edges that vary a little match. Of few
pairs such ones need much anyway."""
SMALL_OVERLAP, SMALL_CAUTION = 0.2, 100.0
"""The chance of pairs that share less of the frame is multiplied: one vesicle or flake in each is a large part of what they share."""


@dataclass(frozen=True)
class Best:
    """The best of the turns of each pair: significances, shift (n, 2) and turn."""

    peaks: Peaks
    shifts: Floats
    turns_deg: Floats


def within(shifts: Floats, size: tuple[int, int], share: float) -> NDArray[np.bool_]:
    """Which shifts (n, 2) are less than a share of the frame along both axes."""
    inside: NDArray[np.bool_] = np.all(np.abs(shifts) < share * np.array(size), axis=1)
    return inside


@dataclass(frozen=True)
class Found:
    """Pairs with their significance at the best shift or at none, whichever is higher, and the chance of that."""

    pairs: NDArray[np.uint32]
    z: Floats
    shifts: Floats
    turns_deg: Floats
    chance: Floats

    @classmethod
    def of(cls, pairs: NDArray[np.uint32], best: Best, null: Null, size: tuple[int, int]) -> Found:
        """From the significances at both; ``size``: columns and rows of the reduced micrographs."""
        elsewhere, zero = null.chance(best.peaks)
        still = (zero < elsewhere) & (best.peaks.at_zero >= best.peaks.best)
        z = np.where(still, best.peaks.at_zero, best.peaks.best)
        shifts, turns = np.where(still[:, None], 0.0, best.shifts), np.where(still, 0.0, best.turns_deg)
        small = np.prod(np.maximum(1 - np.abs(shifts) / np.array(size), 0), axis=1) < SMALL_OVERLAP
        caution = np.where(small, SMALL_CAUTION, 1.0) * np.where(
            within(shifts, size, STILL) & (null.cohort is not None), STILL_CAUTION, 1.0
        )
        return cls(pairs, z, shifts, turns, np.minimum(np.where(still, zero, elsewhere) * caution, 1.0))


@dataclass(frozen=True)
class Judged:
    """Pairs, at the end those that only the other shots of their holes led to; ``words``: what these say."""

    pairs: NDArray[np.uint32]
    z: Floats
    shifts: Floats
    turns_deg: Floats
    q: Floats
    accepted: NDArray[np.bool_]
    words: list[str]


def judge_pairs(
    session: _core.Session,
    found: Found,
    tested: int,
    null: Null,
    known: Sequence[Acquisition],
    size: tuple[int, int],
    params: MicrographParams,
) -> Judged:
    """Decides by the false-discovery rate of each pair, once the other shots of its holes were asked."""

    def look(pairs: NDArray[np.uint32], shifts: Floats, turns_deg: Floats) -> tuple[Floats, Floats]:
        places = (np.ascontiguousarray(shifts, np.float32), np.ascontiguousarray(turns_deg, np.float32))
        z, where = session.find_near(pairs, *places, threads=params.threads)
        return z.astype(float), where.astype(float)

    rows = np.flatnonzero(q_values(found.chance, tested) <= DOUBTFUL_Q)
    near_zero, still = (within(found.shifts, size, share) for share in (FAR, STILL))
    leads = leads_of([int(row) for row in rows], found.pairs, found.shifts, found.turns_deg, near_zero, still, known)
    opinions = judge(leads, found.z[rows], known, look, null.elsewhere) if leads else []
    chance = found.chance.copy()
    for opinion in opinions:
        chance[opinion.lead.row] = opinion.chance(float(chance[opinion.lead.row]))
    q = q_values(chance, tested)
    accepted = q <= params.fdr
    leading = [opinion for opinion in opinions if accepted[opinion.lead.row]]
    words = [""] * len(q)
    for opinion in leading:
        words[opinion.lead.row] = opinion.words(known, params.fdr)
    return _with_recruits(Judged(found.pairs, found.z, found.shifts, found.turns_deg, q, accepted, words), leading, known, params.fdr)


def _with_recruits(judged: Judged, leading: Sequence[Opinion], known: Sequence[Acquisition], fdr: float) -> Judged:
    """Adds the pairs that are no duplicates by themselves, but are where the shots of an accepted pair of holes have to be."""
    row_of = {(int(i), int(j)): row for row, (i, j) in enumerate(judged.pairs)}
    by_themselves = {key for key, row in row_of.items() if judged.accepted[row]}
    recruits: dict[tuple[int, int], tuple[float, float, tuple[float, float], float, float, str]] = {}
    for opinion in leading:
        if opinion.lead.still:
            continue
        for member in opinion.recruits(by_themselves, fdr):
            pair, (near_z, shift, chance) = opinion.lead.members[member], opinion.near[member]
            key = (min(pair), max(pair))
            of_lead = float(judged.q[opinion.lead.row])
            if not (key in row_of and judged.accepted[row_of[key]]) and chance < recruits.get(key, (2.0,))[0]:
                turn = opinion.lead.turn_deg if pair == key else -opinion.lead.turn_deg
                recruits[key] = (chance, near_z, shift, turn, of_lead, judged.words[opinion.lead.row])
    keys = sorted(recruits)
    rates = q_values(np.array([recruits[key][0] for key in keys]), len(keys))
    taken = [(key, max(float(rate), recruits[key][4])) for key, rate in zip(keys, rates, strict=True) if rate <= fdr]
    rows = np.array([row_of.get(key, -1) for key, _ in taken], int)
    new = [k for k, row in enumerate(rows) if row < 0]
    rows[new] = len(judged.pairs) + np.arange(len(new))
    z, q = np.append(judged.z, np.zeros(len(new))), np.append(judged.q, np.ones(len(new)))
    shifts, accepted = np.append(judged.shifts, np.zeros((len(new), 2)), axis=0), np.append(judged.accepted, np.zeros(len(new), bool))
    turns, words = np.append(judged.turns_deg, np.zeros(len(new))), [*judged.words, *[""] * len(new)]
    for row, (key, rate) in zip(rows, taken, strict=True):
        _, of_pair, shift, turn, _, words[row] = recruits[key]
        z[row], shifts[row], turns[row], q[row], accepted[row] = of_pair, shift, turn, rate, True
    pairs = np.append(judged.pairs, np.array([taken[k][0] for k in new], np.uint32).reshape(-1, 2), axis=0)
    return Judged(pairs, z, shifts, turns, q, accepted, words)
