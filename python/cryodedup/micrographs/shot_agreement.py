"""The shots of one pair of holes support each other: if a hole was imaged twice, so were all of its shots, with about the same shift.

A pair of micrographs that may be a duplicate, a *lead*, is judged with its *members*: the pairs of the other equal shots of its two holes,
measured near the same shift. File names give hole and shot; where they do not, the exposures before and after the pair are used instead
(of the pair i and j: i + 1 and j + 1, ...).

The significance that unrelated micrographs reach there is measured on *decoys* with the same geometry: the same shots of other holes,
chosen at random, near the same shift, each the best of as many places. So an edge of beam or foil at the same place in every shot, and
whatever else the shots of all holes share, supports no lead, and leads caused by it are refuted.

The core selects these pairs (:class:`cryodedup._core.Leads`); this module holds the statistics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.components import connected_components
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.places import Floats, Places, of_one_area
from cryodedup.micrographs.ragged import Ragged, Starts
from cryodedup.micrographs.significance import Tail, unrelated

DECOYS = 8
"""Maximum number of decoys of each lead: half replace its first hole, half its second."""
FEW_DECOYS = 40
"""With fewer decoys in total, the distribution expected from noise is used."""
NOISE, NOISE_SD = 2.3, 0.6
"""Mean and standard deviation of the best significance near a given shift, in noise."""
NEAR_PLACES = 60
"""Number of independent places near a shift: no chance is taken to be smaller than that of the best of these in noise..."""
NEAR_SHARE = 0.001
"""...nor smaller than this share of the chance of the best of all places. The share is larger than that of the places near a shift, since
unrelated pairs prefer some places."""
TOP = 2
"""The support of a lead is the sum of this many of its members' significances, the largest ones."""
IQR_PER_SD = 1.35
"""Distance of the quartiles of a normal distribution, in standard deviations."""
MIN_FOR_LOCATION = 4
"""With fewer decoys, the location and width of all decoys are used."""

MAX_SET, MIN_SETS = 20, 4
"""A set of more micrographs, or of more than one in so many, is not one of exposures of one place."""

Pair = tuple[int, int]
MeasureNear = Callable[[Places], tuple[Floats, Floats]]
"""Measures pairs near given shifts: returns their significances (n,) and the exact shifts (n, 2)."""
Chance = Callable[[Floats, Floats], Floats]
"""The chance of significances (n,) at the best of all shifts (n, 2)."""


@dataclass(frozen=True)
class Names:
    """Numbers of the hole and shot of each micrograph, in the order of exposure, uint32 (n,); 0: unknown."""

    holes: NDArray[np.uint32]
    shots: NDArray[np.uint32]

    @classmethod
    def of(cls, acquisitions: Sequence[Acquisition]) -> Names:
        """Numbers holes and shots; equal names get equal numbers."""
        return cls(_numbered([one.hole for one in acquisitions]), _numbered([one.shot for one in acquisitions]))


@dataclass(frozen=True)
class Opinion:
    """The evidence for or against a lead from the other shots of its holes.

    Attributes
    ----------
    pair, turn_deg
        The lead, and its rotation in degrees.
    by_name
        Whether the names of both micrographs give their holes.
    still
        Whether the shift is so small that edges of beam and foil may match in all shots, which are then no evidence.
    here
        The probability that an unrelated pair of the same shots is as significant near the shift of the lead.
    support
        The probability that the members of unrelated holes agree as well; 1 without members.
    members
        uint32 (m, 2): the other pairs, of a micrograph of the first hole and one of the second.
    z, shift_px, chances
        For each member the significance near the shift, the shift (of the later micrograph relative to the earlier one), and the
        probability of that significance.
    """

    pair: Pair
    turn_deg: float
    by_name: bool
    still: bool
    here: float
    support: float
    members: NDArray[np.uint32]
    z: Floats
    shift_px: Floats
    chances: Floats

    def chance(self, alone: float) -> float:
        """The probability of the lead combined with its support (Fisher's method); ``alone``: that of the lead by itself."""
        alone = max(alone, self.here, 1e-300)
        if not len(self.members) or self.still:
            return alone
        product = alone * max(self.support, 1e-30)
        return min(1.0, 2 * min(alone, product * (1 - float(np.log(product)))))

    def recruits(self, are_duplicates: Container[Pair], agreeing: float) -> list[int]:
        """The indices of members that may be duplicates because the lead is one: all, if the holes are known.

        Otherwise most members are not shots of the same holes. Then the members before and after the lead are taken, step by step, up to
        and including the first one that neither is a duplicate by itself (``are_duplicates``, the earlier micrograph first) nor agrees at
        a probability of at most ``agreeing``.
        """
        if self.by_name:
            return list(range(len(self.members)))
        at = {int(first) - self.pair[0]: k for k, (first, _) in enumerate(self.members)}
        found = []
        for side in (1, -1):
            step = side
            while step in at:
                found.append(at[step])
                i, j = (int(k) for k in self.members[at[step]])
                if self.chances[at[step]] > agreeing and (min(i, j), max(i, j)) not in are_duplicates:
                    break
                step += side
        return found

    def words(self, acquisitions: Sequence[Acquisition], agreeing: float) -> str:
        """What is reported about the members.

        ``"3 of 4"``: 3 of the 4 shots of the two holes agree, at a probability of at most ``agreeing``; ``"contradicted"``: the holes have
        other shots, and none agrees; ``"3 in a row"``: where names do not give holes; or ``""``.
        """

        def shots(firsts: Sequence[int]) -> int:
            return len({acquisitions[i].shot or i for i in (self.pair[0], *firsts)})

        firsts = [int(i) for i in self.members[:, 0]]
        number = shots([i for i, chance in zip(firsts, self.chances, strict=True) if chance <= agreeing])
        if not self.by_name:
            return f"{number} in a row" if number > 1 else ""
        total = shots(firsts)
        return "" if total == 1 else f"{number} of {total}" if number > 1 else "contradicted"


def judge(
    leads: Places,
    z: Floats,
    near_zero: NDArray[np.bool_],
    still: NDArray[np.bool_],
    names: Names,
    areas: NDArray[np.uint32],
    measure_near: MeasureNear,
    elsewhere: Chance,
    seed: int = 0,
) -> list[Opinion]:
    """Measures the members and decoys of all leads. Leads near zero shift, where decoys share edges, are judged separately.

    Parameters
    ----------
    leads, z
        Pairs that may be duplicates, and the significance of each.
    near_zero, still
        Bool (n,): whether the shift is so small that edges of beam and foil match there; so small that they may match in all shots.
    names
        Holes and shots of all micrographs of the session.
    areas
        uint32 (n,): the number of the area that each of them is known to share with some others, or 0.
    measure_near
        Measures pairs near given shifts.
    elsewhere
        The probability that the best of all shifts of unrelated micrographs reaches a significance.
    seed
        Seed of the random choice of decoys.
    """
    opinions: dict[int, Opinion] = {}
    for which in (~near_zero, near_zero):
        rows = np.flatnonzero(which)
        if len(rows):
            of_rows = leads.of(rows), np.asarray(z, float)[rows], ~near_zero[rows], still[rows]
            found = _judge(*of_rows, names, areas, measure_near, elsewhere, seed)
            opinions |= dict(zip(rows.tolist(), found, strict=True))
    return [opinions[k] for k in range(len(leads))]


def _judge(
    leads: Places,
    z: Floats,
    by_place: NDArray[np.bool_],
    still: NDArray[np.bool_],
    names: Names,
    areas: NDArray[np.uint32],
    measure_near: MeasureNear,
    elsewhere: Chance,
    seed: int,
) -> list[Opinion]:
    known = _core.Leads(leads, by_place=by_place, holes=names.holes, shots=names.shots)
    all_members, by_name = known.members, known.by_name
    asked = known.ask(_chosen(known.candidates, seed))
    near_z, near_shift_px = measure_near(Places(asked.pairs, asked.shift_px, asked.turn_deg))
    members, decoys, others = (Ragged(near_z[rows], starts) for rows, starts in (asked.members, asked.decoys, asked.decoy_members))
    pairs = asked.pairs[asked.decoys[0]]
    unlike = decoys.without(_of_own_set(leads.pairs, by_name, pairs, decoys.lengths, names) | of_one_area(pairs, areas))
    here = np.maximum(np.minimum(_standardised(unlike, z), _above_all(unlike, z)), in_noise(z))
    support = _support(members, others.sums_of_largest(TOP), decoys.starts)
    of_lead = Ragged(others.values, others.starts[decoys.starts])  # for each lead, the pairs of all its decoys that replace members
    every_decoy = unrelated(others.values)[::-1]
    opinions = []
    for k in range(len(leads)):
        rows = slice(*(int(at) for at in members.starts[k : k + 2]))
        shift_px = near_shift_px[asked.members[0][rows]]
        reached = 1 - np.searchsorted(every_decoy, members[k]) / max(len(every_decoy), 1)
        chances = np.maximum(_chances_of_members(of_lead[k], members[k], elsewhere(members[k], shift_px)), reached)
        i, j = (int(one) for one in leads.pairs[k])
        opinions.append(
            Opinion(
                pair=(i, j),
                turn_deg=float(leads.turn_deg[k]),
                by_name=bool(by_name[k]),
                still=bool(still[k]),
                here=float(here[k]),
                support=float(support[k]),
                members=all_members[rows],
                z=members[k],
                shift_px=shift_px,
                chances=chances,
            )
        )
    return opinions


def _of_own_set(
    leads: NDArray[np.uint32], by_name: NDArray[np.bool_], decoys: NDArray[np.uint32], lengths: NDArray[np.int64], names: Names
) -> NDArray[np.bool_]:
    """Which decoys are of the same set as their lead, bool: of ten exposures of one spot, many decoys are duplicates themselves.

    Only where names do not give holes: an edge that the same shots of all holes share makes a set, too; and only in small sets.
    """
    n = len(names.holes)
    set_of = np.arange(n)
    for component in connected_components((int(i), int(j)) for i, j in leads):
        if len(component) <= min(MAX_SET, n // MIN_SETS):
            set_of[component] = component[0]
    lead = np.repeat(np.arange(len(leads)), lengths)
    same: NDArray[np.bool_] = np.all(set_of[decoys] == set_of[leads[lead, :1]], axis=1) & ~by_name[lead]
    return same


def _chosen(candidates: NDArray[np.int64], seed: int) -> list[list[int]]:
    """For each lead the micrographs that make its decoys, drawn at random: indices into its candidates."""
    rng = np.random.default_rng(seed)
    return [rng.choice(n, min(DECOYS, n), replace=False).tolist() if n else [] for n in candidates.tolist()]


def _support(members: Ragged, of_decoys: Floats, starts: Starts) -> Floats:
    """The probability that the members of unrelated holes agree as well; ``of_decoys``: sums of the decoys, by lead from ``starts``."""
    observed, decoys = members.sums_of_largest(TOP), Ragged(of_decoys, starts)
    support = np.ones(len(observed))
    numbers = np.minimum(members.lengths, TOP + 1)
    for number in sorted(set(numbers.tolist()) - {0}):
        which = np.flatnonzero(numbers == number)
        support[which] = _standardised(decoys.of(which), observed[which], min(number, TOP))
    return support


def _chances_of_members(decoys: Floats, observed: Floats, elsewhere: Floats) -> Floats:
    """The probability of the significance of each member of a lead, compared with all decoys of the lead; ``elsewhere``: at any shift."""
    alike = Ragged(np.tile(decoys, len(observed)), len(decoys) * np.arange(len(observed) + 1))
    chances = _standardised(alike, observed)
    return np.maximum(chances, np.maximum(in_noise(observed), NEAR_SHARE * elsewhere))


def _standardised(decoys: Ragged, observed: Floats, terms: int = 1) -> Floats:
    """The probability of each observed value; ``terms``: how many significances were added up.

    Each value is standardised with the median and quartiles of its own decoys, but at least with those of all decoys; the shape of the tail
    is estimated from all decoys together, since a few cannot show it.
    """
    if not len(observed):
        return observed
    noise, width = NOISE * terms, NOISE_SD * terms**0.5
    middle, spread = noise, width
    if len(decoys.values) >= FEW_DECOYS:
        low, middle, high = (float(value) for value in np.quantile(decoys.values, [0.25, 0.5, 0.75]))
        spread = (high - low) / IQR_PER_SD
    spread = max(spread, 0.5 * width)
    quartiles = decoys.quantiles([0.25, 0.5, 0.75])
    few = decoys.lengths < MIN_FOR_LOCATION
    middles = np.where(few, middle, np.fmax(middle, quartiles[:, 1]))
    spreads = np.where(few, spread, np.fmax(spread, (quartiles[:, 2] - quartiles[:, 0]) / IQR_PER_SD))
    of = np.repeat(np.arange(len(observed)), decoys.lengths)
    tail = _tail((decoys.values - middles[of]) / spreads[of])
    return tail.probability((observed - middles) / spreads)


def _above_all(decoys: Ragged, observed: Floats) -> Floats:
    """The probability of each observed value above all of its decoys: one in as many at their maximum, falling as all decoys do.

    The spread of eight decoys is not well known: where a few reach 12, a pair of z 90 would not be exceptional.
    """
    if len(decoys.values) < FEW_DECOYS:
        return np.ones(len(observed))
    start = np.quantile(decoys.values, 0.9)
    over = decoys.values[decoys.values > start] - start
    scale = max(float(over.mean()) if len(over) else 0.0, NOISE_SD)
    above = observed - decoys.sums_of_largest(1)
    return np.where(above > 0, np.exp(-np.maximum(above, 0) / scale) / (1 + decoys.lengths), 1.0)


def in_noise(z: Floats) -> Floats:
    """The probability that images of noise are as significant near a given shift."""
    return np.array([min(1.0, NEAR_PLACES * 0.5 * math.erfc(value / math.sqrt(2))) for value in z])


def _tail(scaled: Floats) -> Tail:
    """The tail fitted to the upper tenth of standardised values; a few duplicates among the decoys do not broaden it."""
    if len(scaled) < FEW_DECOYS:
        return Tail(start=1.5, scale=0.7, rate=0.2)
    start = max(float(np.quantile(scaled, 0.9)), 1.3)
    above = scaled[scaled > start] - start
    usual = float(np.median(above)) / float(np.log(2)) if len(above) else 0.5
    return Tail(start=start, scale=max(float(np.minimum(above, 8 * usual).mean()) if len(above) else 0.5, 0.5), rate=0.1)


def _numbered(names: Sequence[str]) -> NDArray[np.uint32]:
    numbers = {"": 0}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.uint32)
