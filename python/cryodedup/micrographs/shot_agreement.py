"""The shots of one pair of holes support each other: if a hole was imaged twice, all of its shots were, moved by about the same.

A pair of micrographs that may be duplicates, a *lead*, is looked at together with its *members*: the pairs of the other equal shots of its
two holes, near the same shift. Names show hole and shot; where they do not, the shots before and after both stand in (those of i and j,
i + 1 and j + 1, ...).

What unrelated micrographs reach there is measured on *decoys* that keep the geometry: the same shots of other holes, taken at random, near
the same shift, the best of as many places. So an edge of beam or foil that lies at one place in each shot, and whatever else the shots of
all holes share, supports no lead, and refutes those that it makes itself.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.significance import Floats, Tail

REACH = 3
"""Where names do not show the shots of a hole, so many on either side of a pair are members."""
DECOYS = 8
"""Decoys of each lead: half with another first hole, half with another second."""
FEW_MICROGRAPHS = 24
"""Of fewer micrographs none are asked as decoys: all of them may show one scene."""
FEW_DECOYS = 40
"""So few in all show no distribution: that of noise is taken."""
NOISE, NOISE_SD = 2.3, 0.6
"""The best significance near a given shift, in noise."""
NEAR_PLACES = 60
"""So many of the places near a shift are independent: no chance is smaller than that of the best of them in noise..."""
NEAR_SHARE = 0.001
"""...nor than so much of the chance of the best of all places: more than their share of these, as unrelated pairs prefer some."""
TOP = 2
"""The support of a lead is the sum of as many of its members' significances, the largest."""

Pair = tuple[int, int]
Look = Callable[[NDArray[np.uint32], Floats, Floats], tuple[Floats, Floats]]
"""From pairs (n, 2), shifts (n, 2) and turns (n,) to the significances near these shifts, and where exactly."""


@dataclass(frozen=True)
class Lead:
    """A pair that may be a duplicate, and who is asked about it.

    ``members``: other pairs, of the first and of the second hole; ``by_name``: whether names show the holes; ``near_zero``: whether the
    shift is so small that edges of beam and foil lie there; ``still``: so small that they may lie there in all shots, which then tell
    nothing.
    """

    row: int
    pair: Pair
    shift: tuple[float, float]
    turn_deg: float
    members: tuple[Pair, ...]
    by_name: bool
    near_zero: bool
    still: bool


@dataclass(frozen=True)
class Opinion:
    """What was found about a lead.

    ``here``: the chance that an unrelated pair of the same shots is as significant near its shift; ``support``: the chance that the members
    of unrelated holes agree as much, 1 without members; ``near``: of each member the significance near the shift, the shift (of the later
    one against the earlier), and the chance of that.
    """

    lead: Lead
    here: float
    support: float
    near: tuple[tuple[float, tuple[float, float], float], ...]

    def chance(self, alone: float) -> float:
        """The chance of the lead and its support together (Fisher's method), from that of the lead alone."""
        alone = max(alone, self.here, 1e-300)
        if not self.near or self.lead.still:
            return alone
        product = alone * max(self.support, 1e-30)
        return min(1.0, 2 * min(alone, product * (1 - float(np.log(product)))))

    def recruits(self, are_duplicates: Container[Pair], agreeing: float) -> list[int]:
        """Which members may be duplicates because the lead is one: all of known holes.

        Elsewhere most members are no shots of the same holes; those are asked that hang together with the lead, step by step in the row, by
        pairs that are duplicates by themselves (``are_duplicates``, the earlier micrograph first) or agree at a chance of ``agreeing``.
        """
        if self.lead.by_name:
            return list(range(len(self.lead.members)))
        at = {first - self.lead.pair[0]: k for k, (first, _) in enumerate(self.lead.members)}
        found = []
        for side in (1, -1):
            step = side
            while step in at:
                found.append(at[step])
                pair = self.lead.members[at[step]]
                if self.near[at[step]][2] > agreeing and (min(pair), max(pair)) not in are_duplicates:
                    break
                step += side
        return found

    def words(self, acquisitions: Sequence[Acquisition], agreeing: float) -> str:
        """What is reported of them.

        ``"3 of 4"``: shots of the two holes that agree, at such a chance; ``"contradicted"``: others exist, none agrees; ``"3 in a row"``
        where names do not show holes; or ``""``.
        """

        def shots(pairs: Sequence[Pair]) -> int:
            return len({acquisitions[i].shot or i for i, _ in pairs})

        heard = [pair for pair, (_, _, chance) in zip(self.lead.members, self.near, strict=True) if chance <= agreeing]
        number, total = shots([self.lead.pair, *heard]), shots([self.lead.pair, *self.lead.members])
        if not self.lead.by_name:
            return f"{number} in a row" if number > 1 else ""
        return "" if total == 1 else f"{number} of {total}" if number > 1 else "contradicted"


def leads_of(
    rows: Sequence[int],
    pairs: NDArray[np.uint32],
    shifts: Floats,
    turns_deg: Floats,
    near_zero: NDArray[np.bool_],
    still: NDArray[np.bool_],
    acquisitions: Sequence[Acquisition],
) -> list[Lead]:
    """The leads of some rows of the table of pairs.

    Those near zero shift have no members by their place in the row: there neighbours, too, share the camera and its edges. Nor have those
    whose holes are known, but not to be imaged twice: neighbours then are of one hole, and share its lattice.
    """
    of_hole: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, known in enumerate(acquisitions):
        if known.hole and known.shot:
            of_hole[known.hole][known.shot].append(i)
    leads = []
    for row in rows:
        i, j = (int(k) for k in pairs[row])
        first, second = acquisitions[i], acquisitions[j]
        by_name = bool(first.hole and second.hole and first.shot and first.shot == second.shot and first.hole != second.hole)
        if by_name:
            both = [(a, b) for shot, ones in of_hole[first.hole].items() for a in ones for b in of_hole[second.hole].get(shot, ())]
            members = tuple(pair for pair in both if pair != (i, j) and pair[0] != pair[1])
        elif near_zero[row] or (first.hole and second.hole):
            members = ()
        else:
            members = tuple(beside((i, j), acquisitions))
        leads.append(
            Lead(
                row,
                (i, j),
                (float(shifts[row, 0]), float(shifts[row, 1])),
                float(turns_deg[row]),
                members,
                by_name,
                bool(near_zero[row]),
                bool(still[row]),
            )
        )
    return leads


def beside(pair: Pair, acquisitions: Sequence[Acquisition]) -> list[Pair]:
    """The pairs of the micrographs before and after both of a pair, in the order of exposure, whose holes are not known to be others."""
    i, j = pair

    def other_hole(a: int, b: int) -> bool:
        return bool(acquisitions[a].hole and acquisitions[b].hole and acquisitions[a].hole != acquisitions[b].hole)

    steps = [k for k in range(-REACH, REACH + 1) if k and 0 <= min(i, j) + k and max(i, j) + k < len(acquisitions)]
    return [(i + k, j + k) for k in steps if not (other_hole(i, i + k) or other_hole(j, j + k))]


def judge(
    leads: Sequence[Lead],
    z: Floats,
    acquisitions: Sequence[Acquisition],
    look: Look,
    elsewhere: Callable[[Floats], Floats],
    seed: int = 0,
) -> list[Opinion]:
    """Asks the members and the decoys of all leads; those near zero shift, where decoys share edges, are judged apart from the others.

    Parameters
    ----------
    leads, z
        And the significance of each.
    look
        Measures pairs near given shifts.
    elsewhere
        The chance that the best of all shifts of unrelated micrographs is at least that significant.
    seed
        Of the choice of decoys.
    """
    opinions: dict[int, Opinion] = {}
    for near_zero in (False, True):
        which = [k for k, lead in enumerate(leads) if lead.near_zero == near_zero]
        judged = _judge([leads[k] for k in which], np.asarray(z, float)[which], acquisitions, look, elsewhere, seed) if which else []
        opinions |= dict(zip(which, judged, strict=True))
    return [opinions[k] for k in range(len(leads))]


def _judge(
    leads: Sequence[Lead],
    z: Floats,
    acquisitions: Sequence[Acquisition],
    look: Look,
    elsewhere: Callable[[Floats], Floats],
    seed: int,
) -> list[Opinion]:
    asked = _Questions()
    rng = np.random.default_rng(seed)
    of_shot: dict[str, list[int]] = defaultdict(list)
    for i, known in enumerate(acquisitions):
        of_shot[known.shot if known.hole else ""].append(i)
    everyone = np.arange(len(acquisitions))
    plans: list[tuple[list[int], list[list[int]]]] = []
    for lead in leads:
        members = [asked.add(pair, lead) for pair in lead.members]
        decoys = [[asked.add(pair, lead) for pair in several] for several in _decoys(lead, acquisitions, of_shot, everyone, rng)]
        plans.append((members, decoys))
    near_z, near_shifts = look(*asked.arrays())
    here = np.maximum(_standardised([[near_z[decoy[0]] for decoy in decoys] for _, decoys in plans], z), in_noise(z))

    def top(rows: Sequence[int]) -> float:
        return sum(sorted((float(near_z[row]) for row in rows), reverse=True)[:TOP])

    support = np.ones(len(leads))
    for number in {min(len(lead.members), TOP + 1) for lead in leads} - {0}:
        which = [k for k, lead in enumerate(leads) if min(len(lead.members), TOP + 1) == number]
        observed = np.array([top(plans[k][0]) for k in which])
        support[which] = _standardised([[top(decoy[1:]) for decoy in plans[k][1]] for k in which], observed, min(number, TOP))
    opinions = []
    for k, lead in enumerate(leads):
        members, decoys = plans[k]
        observed = near_z[members] if members else np.zeros(0)
        chances = _standardised([[near_z[row] for decoy in decoys for row in decoy[1:]] for _ in members], observed)
        chances = np.maximum(chances, np.maximum(in_noise(observed), NEAR_SHARE * elsewhere(observed)))
        near = tuple(
            (float(near_z[row]), (float(near_shifts[row, 0]), float(near_shifts[row, 1])), float(chance))
            for row, chance in zip(members, chances, strict=True)
        )
        opinions.append(Opinion(lead, float(here[k]), float(support[k]), near))
    return opinions


class _Questions:
    """Pairs to be measured near shifts, each once."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Pair, float, float, float], int] = {}

    def add(self, pair: Pair, lead: Lead) -> int:
        (i, j), (x, y), turn = pair, lead.shift, lead.turn_deg
        key = ((i, j), x, y, turn) if i < j else ((j, i), -x, -y, -turn)
        return self._rows.setdefault(key, len(self._rows))

    def arrays(self) -> tuple[NDArray[np.uint32], Floats, Floats]:
        pairs = np.array([row[0] for row in self._rows], np.uint32).reshape(-1, 2)
        return pairs, np.array([row[1:3] for row in self._rows]).reshape(-1, 2), np.array([row[3] for row in self._rows])


def _decoys(
    lead: Lead, acquisitions: Sequence[Acquisition], of_shot: dict[str, list[int]], everyone: NDArray[np.intp], rng: np.random.Generator
) -> list[list[Pair]]:
    """Pairs like the lead and its members, in this order, with one of the two holes replaced by another one."""
    i, j = lead.pair
    known = acquisitions[i]
    same = of_shot[known.shot if known.hole else ""] if lead.by_name else everyone
    own = {acquisitions[i].hole, acquisitions[j].hole} - {""}
    usable = [k for k in same if acquisitions[k].hole not in own and min(abs(k - i), abs(k - j)) > REACH]
    usable = usable if len(acquisitions) >= FEW_MICROGRAPHS else []
    chosen = [int(k) for k in rng.choice(usable, min(DECOYS, len(usable)), replace=False)] if usable else []
    of_hole: dict[str, dict[str, int]] = defaultdict(dict)
    if lead.by_name:
        wanted = {acquisitions[k].hole for k in chosen}
        for k, acquisition in enumerate(acquisitions):
            if acquisition.hole in wanted:
                of_hole[acquisition.hole][acquisition.shot] = k
    found = []
    for turn, other in enumerate(chosen):
        first = turn % 2 == 0  # the hole that is replaced
        pairs = [(other, j) if first else (i, other)]
        for a, b in lead.members:
            stand_in = _stand_in(a if first else b, lead, other, first, acquisitions, of_hole)
            kept = b if first else a
            if stand_in is not None and stand_in != kept:
                pairs.append((stand_in, kept) if first else (kept, stand_in))
        found.append(pairs)
    return found


def _stand_in(
    replaced: int, lead: Lead, other: int, first: bool, acquisitions: Sequence[Acquisition], of_hole: dict[str, dict[str, int]]
) -> int | None:
    """Of another hole the micrograph in the place of a member's."""
    if lead.by_name:
        return of_hole[acquisitions[other].hole].get(acquisitions[replaced].shot)
    k = other + replaced - lead.pair[0 if first else 1]
    return k if 0 <= k < len(acquisitions) else None


def _standardised(decoys: Sequence[Sequence[float]], observed: Floats, terms: int = 1) -> Floats:
    """The chance of each observed value; ``terms``: how many significances were added up.

    Each is measured against its own decoys, but no narrower than against all: few show location and width, and all together the shape of
    the tail.
    """
    if not len(observed):
        return observed
    pooled = np.concatenate([np.asarray(values, float) for values in decoys]) if decoys else np.zeros(0)
    noise, width = NOISE * terms, NOISE_SD * terms**0.5
    middle, spread = (noise, width) if len(pooled) < FEW_DECOYS else _location(pooled)
    spread = max(spread, 0.5 * width)
    own = [
        (max(middle, _location(values)[0]), max(spread, _location(values)[1])) if len(values) >= 4 else (middle, spread)
        for values in decoys
    ]
    scaled = [(np.asarray(values, float) - m) / s for values, (m, s) in zip(decoys, own, strict=True)]
    tail = _tail(np.concatenate(scaled) if scaled else np.zeros(0))
    return tail.probability((observed - np.array([m for m, _ in own])) / np.array([s for _, s in own]))


def in_noise(z: Floats) -> Floats:
    """The chance that images of noise are as significant near a given shift."""
    return np.array([min(1.0, NEAR_PLACES * 0.5 * math.erfc(value / math.sqrt(2))) for value in z])


def _tail(scaled: Floats) -> Tail:
    """The upper tenth of standardised values; a few that are themselves duplicates do not make it flat."""
    if len(scaled) < FEW_DECOYS:
        return Tail(start=1.5, scale=0.7, rate=0.2)
    start = max(float(np.quantile(scaled, 0.9)), 1.3)
    above = scaled[scaled > start] - start
    usual = float(np.median(above)) / float(np.log(2)) if len(above) else 0.5
    return Tail(start=start, scale=max(float(np.minimum(above, 8 * usual).mean()) if len(above) else 0.5, 0.5), rate=0.1)


def _location(values: Sequence[float] | Floats) -> tuple[float, float]:
    """Median, and standard deviation from the quartiles."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return float(middle), float(high - low) / 1.35
