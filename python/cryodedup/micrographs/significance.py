"""How likely unrelated micrographs are to match as well as a pair does.

The null distributions are the session's own, and a pair has to stand out from all of them:

* *Mirrored*: pairs of a mirrored micrograph and another one have no area in common, but the same spectra, edges and bright spots
  (target and decoy, as in proteomics: Elias and Gygi 2007, Nature Methods 4, 207). Beyond the values that occur, the tail falls
  exponentially, as that of a Gumbel distribution does.
* *Cohort*: nearly all pairs of a session are unrelated, so that the bulk of all pairs (or of pairs taken at random) is a null distribution
  with everything that all micrographs share unmirrored: a crystal's angle, the place of an edge.
* The pair's own map of correlations: where the next best place is unusually high, as in lattices, the best has to stand out from it.
* The overlap: a few large objects in each image reach more where little overlaps. Significances are compared in units of what mirrored
  pairs reach at a like overlap (:class:`OverlapScale`).
* At zero shift, where the camera's fixed pattern shows, the cohort's correlations there. A single place is never less likely than the best
  of all: the larger of the chances counts.

A null distribution may hold true pairs: areas that are exposed three times, frames that are stored mirrored. They stand apart from all
others (:func:`unrelated`) and are left out.

The false-discovery rate is that of Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57, 289.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.places import Floats

TAIL = 200
"""The tail is fitted to this many of the largest values, or to a tenth of all if these are fewer."""
CAUTION = 2.0
"""Unrelated pairs are taken to be this many times as likely to reach a value as mirrored ones: edges that lie on the same side of many
micrographs coincide more often unmirrored."""
FEW, FEW_START, FEW_SCALE = 200, 4.6, 0.35
"""So few values do not show the tail: a tenth of all is then taken to be above this, falling at least as slowly as in sessions of noise."""
FEW_AT_ZERO, FEW_AT_ZERO_SCALE = 10.0, 2.0
"""The same at zero shift, where the camera's pattern reaches 5 to 9 in frames of usual gain references."""
HARDLY_ANY_AT_ZERO, HARDLY_ANY_AT_ZERO_SCALE = 50.0, 10.0
"""The same of so few micrographs that no pair is usual: a strong pattern reaches 42 in pairs of two simulated frames (seeds 0 to 19)."""
BEYOND_PATTERN = 100.0
"""No pattern reaches this: frames that do are copies, or show one scene without any shift, even if all do."""
MIN_FOR_BULK = 6
"""With fewer pairs, none is taken to be usual."""
APART, GAP = 50.0, 4.0
"""The k highest values stand apart if their mean lies this many times the mean excess of the values below, divided by √k, above these, and
the gap below the lowest of them is wide in the same way. Both are about 1 for the tail of a Gumbel distribution. With such a gap, mirrored
pairs reach 12 where none are of one place and 250 to 1,100 where frames are flipped; at zero shift 46, and 62 to 1,500 where pairs share a
place or a pattern (seeds 1 and 2 of 68 kinds, and self-tests of them)."""
MAX_APART = 0.3
"""No larger share of the values stands apart."""
BESIDE_GAP = 10
"""The mean excess is that of at least this many values, and of twice as many as stand apart."""
PER_OVERLAP, MAX_OVERLAPS = 500, 8
"""Pairs are divided by overlap into classes of at least so many, and so many classes at most."""
UNLIKE = 1.15
"""The overlap matters if the 90th percentiles of the classes differ by this factor: by up to 1.10 in most kinds of sessions, 1.17 to 1.42
with viruses and thick tubes (seeds 1 and 2)."""
MIN_SCALE = 0.15
"""The tail of a handful of values is not taken to fall faster than this, in standard deviations."""
ZERO_CAUTION = 5.0
"""Chances at zero shift are multiplied by this: what is left of a strong pattern has a heavy tail, and few second visits hit so exactly."""
ZERO_HEAVY = 1.5
"""The tail there is taken to fall this many times as slowly as the part of it that is seen."""
USUAL_MIDDLE, USUAL_SPREAD = 6.5, 2.0
"""A null distribution is unusual if unrelated pairs reach more, or differ more: 3.5 and 0.3 in most sessions, up to 5.5 and 1.1 in the
kinds of ``benches/simulate`` that the null distributions hold for (seeds 1 and 2)."""
PERIODIC = 0.001
"""A next best place that unrelated pairs reach less often than that shows a lattice, or an edge along an edge..."""
NEXT_SCALE = 0.085
"""...and by chance the best place exceeds it by an exponential variable whose mean is this many times its height."""


def unrelated(values: Floats) -> Floats:
    """The values, descending, without those that stand apart above the others: they are of true pairs."""
    values = np.sort(np.asarray(values, np.float64))[::-1]
    half = len(values) // 2
    highest = np.arange(1, min(int(MAX_APART * len(values)), half - BESIDE_GAP // 2) + 1)
    if not len(highest):
        return values
    beside = np.minimum(np.maximum(BESIDE_GAP, 2 * highest), half - highest)
    sums = np.append(0.0, np.cumsum(values))
    excess = np.maximum((sums[highest + beside] - sums[highest]) / beside - values[highest + beside], MIN_SCALE) / np.sqrt(highest)
    gaps, above = (values[highest - 1] - values[highest]) / excess, (sums[highest] / highest - values[highest]) / excess
    apart = (gaps >= GAP) & (above >= APART)
    return values[highest[np.argmax(np.where(apart, gaps * np.sqrt(highest), 0))] :] if apart.any() else values


@dataclass(frozen=True)
class Gumbel:
    """The largest of many: location and scale."""

    middle: float
    spread: float

    @classmethod
    def fit(cls, values: Floats) -> Gumbel | None:
        """Through the median and the 80th percentile, which a few duplicates hardly move; None from few values."""
        if len(values) < FEW:
            return None
        half, high = np.quantile(values, [0.5, 0.8])
        # The quantile of p is middle - spread ln(-ln p).
        spread = max(float(high - half) / float(np.log(np.log(0.5) / np.log(0.8))), MIN_SCALE)
        return cls(float(half) + spread * float(np.log(np.log(2))), spread)

    def probability(self, z: Floats) -> Floats:
        """The chance of a value at least this large."""
        chance: Floats = -np.expm1(-np.exp(-(z - self.middle) / self.spread))
        return chance


@dataclass(frozen=True)
class Tail:
    """The upper tail of a null distribution: values above ``start`` are exponential of mean ``start + scale``.

    ``rate``: how many of all tested pairs are above ``start``; ``apart``: values from here on stood apart, and are not of the distribution.
    """

    start: float
    scale: float
    rate: float
    values: Floats = field(repr=False, default_factory=lambda: np.zeros(0))
    apart: float = float("inf")

    @classmethod
    def fit(cls, values: Floats, tested: int) -> Tail:
        """From the values that were measured, of so many tested pairs."""
        everything = len(values)
        values = unrelated(values)
        tested -= everything - len(values)
        if len(values) < 3:
            return cls(start=FEW_START, scale=FEW_SCALE, rate=CAUTION, values=values)
        n = int(min(TAIL, max(2, len(values) // 10)))
        start = float(values[n])
        # A few outliers (bright specks that coincide) must not be thinned out by the many others: the largest of three means.
        scales = [float(np.mean(values[:k]) - values[k]) for k in (n, max(2, n // 8), max(2, n // 25))]
        scale, rate = max(*scales, MIN_SCALE), CAUTION * n / max(tested, 1)
        if len(values) < FEW:
            start, scale, rate = max(start, FEW_START), max(scale, FEW_SCALE), max(rate, CAUTION * 0.1)
        return cls(start=start, scale=scale, rate=rate, values=values)

    def probability(self, z: Floats) -> Floats:
        """The chance that an unrelated pair is at least that significant."""
        above = self.rate * np.exp(-np.maximum(z - self.start, 0) / self.scale)
        return np.where(z >= self.start, np.minimum(above, 1.0), 1.0)


@dataclass(frozen=True)
class Peaks:
    """Significances of pairs: at the best place, at the next best, and at zero shift; each shape (n,). ``overlap``: at the best place."""

    best: Floats
    next: Floats
    at_zero: Floats
    overlap: Floats

    def of(self, rows: NDArray[np.bool_]) -> Peaks:
        """Those of some pairs."""
        return Peaks(self.best[rows], self.next[rows], self.at_zero[rows], self.overlap[rows])


@dataclass(frozen=True)
class OverlapScale:
    """What unrelated pairs reach at each overlap: location and spread of their significances; shape (k,) each, by rising overlap.

    ``usual``: location and spread of all. Standard significances are those that would be as unlikely at the usual ones.
    """

    overlap: Floats
    location: Floats
    spread: Floats
    usual: tuple[float, float]

    @classmethod
    def fit(cls, z: Floats, overlap: Floats) -> OverlapScale:
        """From unrelated pairs; the same for all overlaps if they are few, or do not differ."""
        of_class = np.array_split(np.argsort(overlap, kind="stable"), max(1, min(len(z) // PER_OVERLAP, MAX_OVERLAPS)))
        location, spread = np.array([_location_and_spread(z[rows]) for rows in of_class]).T
        high = location + spread
        if high.max() < UNLIKE * high.min():
            return cls(np.array([1.0]), np.zeros(1), np.ones(1), (0.0, 1.0))
        middle = np.array([float(np.median(overlap[rows])) for rows in of_class])
        # Where unrelated pairs differ least, fewer of them have shown what they can reach: a crystal's lattice does so at all overlaps.
        return cls(middle, location, np.maximum(spread, np.median(spread)), _location_and_spread(z))

    def standard(self, z: Floats, overlap: Floats) -> Floats:
        """Standard significances."""
        location, spread = (np.interp(overlap, self.overlap, values) for values in (self.location, self.spread))
        found: Floats = self.usual[0] + self.usual[1] * (z - location) / spread
        return found


def _location_and_spread(z: Floats) -> tuple[float, float]:
    """Median, and its distance from the 90th percentile."""
    if not len(z):
        return 0.0, 1.0
    middle, high = np.quantile(z, [0.5, 0.9])
    return float(middle), max(float(high - middle), MIN_SCALE)


@dataclass(frozen=True)
class Null:
    """The null distributions of a session: of mirrored pairs, of their next best places, of the cohort, and at zero shift.

    ``periodic``: the share of the cohort that matches at several places; ``has_pattern``: whether the camera's fixed pattern is still in
    the micrographs, since they are too few to measure it.
    """

    mirrored: Tail
    next: Gumbel | None
    cohort: Gumbel | None
    zero: Tail
    by_overlap: OverlapScale
    periodic: float = 0.0
    has_pattern: bool = False

    @classmethod
    def fit(cls, mirrored: Peaks, tested: int, cohort: Peaks, *, has_pattern: bool = False) -> Null:
        """From mirrored pairs, of so many tested, and from unmirrored ones most of which are unrelated."""
        following = Gumbel.fit(mirrored.next)
        periodic = 0.0 if following is None else float(np.mean(following.probability(cohort.next) < PERIODIC))
        by_overlap = OverlapScale.fit(mirrored.best, mirrored.overlap)
        best, of_cohort = (by_overlap.standard(peaks.best, peaks.overlap) for peaks in (mirrored, cohort))
        zero = zero_tail(cohort.at_zero, has_pattern=has_pattern)
        return cls(Tail.fit(best, tested), following, Gumbel.fit(of_cohort), zero, by_overlap, periodic, has_pattern)

    @property
    def is_usual(self) -> bool:
        """Whether unrelated pairs reach about what they do in other sessions."""
        return self.cohort is None or (self.cohort.middle <= USUAL_MIDDLE and self.cohort.spread <= USUAL_SPREAD)

    def elsewhere(self, z: Floats, overlap: Floats) -> Floats:
        """The chance that the best of all shifts of unrelated micrographs is at least that significant, at such an overlap."""
        return self.beyond(self.by_overlap.standard(z, overlap))

    def beyond(self, z: Floats) -> Floats:
        """The same of standard significances."""
        chance = self.mirrored.probability(z)
        return chance if self.cohort is None else np.maximum(chance, self.cohort.probability(z))

    def chance(self, peaks: Peaks, beside_zero: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """The chance of each pair's best place, and that of zero shift; ``beside_zero``: where both are of one peak."""
        elsewhere = np.maximum(self.elsewhere(peaks.best, peaks.overlap), self._beside(peaks.best, peaks.next))
        zero = np.maximum(self.zero.probability(peaks.at_zero), self.elsewhere(peaks.at_zero, np.ones(len(peaks.at_zero))))
        # Of few pairs the tail at zero shift is taken to be heavy anyway; what stands apart is not of the tail.
        caution = np.where((self.cohort is None) | (peaks.at_zero >= self.zero.apart), 1.0, ZERO_CAUTION)
        return elsewhere, np.maximum(
            np.minimum(caution * zero, 1.0), self._beside(peaks.at_zero, np.where(beside_zero, peaks.next, peaks.best))
        )

    def _beside(self, z: Floats, other: Floats) -> Floats:
        """The chance of a place where another place of the same pair is unusually high; 0 where it is not."""
        if self.next is None:
            return np.zeros(len(z))
        above = np.exp(-np.maximum(z - other, 0) / (NEXT_SCALE * np.maximum(other, 1)))
        return np.where(self.next.probability(other) < PERIODIC, above, 0.0)

    def min_z(self, chance: float) -> float:
        """The standard significance from which the best shift has no more than such a chance."""
        z = np.linspace(0, 100, 10_001)
        return float(z[np.argmax(self.beyond(z) <= chance)])

    def summary(self) -> dict[str, float | None]:
        """What ``summary.json`` holds."""
        middle, spread = (None, None) if self.cohort is None else (round(self.cohort.middle, 3), round(self.cohort.spread, 3))
        start, scale = round(self.mirrored.start, 3), round(self.mirrored.scale, 3)
        return {
            "start_z": start,
            "scale_z": scale,
            "rate": self.mirrored.rate,
            "cohort_middle_z": middle,
            "cohort_spread_z": spread,
            "periodic_share": round(self.periodic, 4),
        }


def q_values(chance: Floats, tested: int) -> Floats:
    """The false-discovery rate of each pair and all less likely ones; shape as ``chance``, 0 to 1.

    Parameters
    ----------
    chance
        That an unrelated pair is as significant.
    tested
        How many pairs there were.
    """
    order = np.argsort(chance, kind="stable")
    rates = np.minimum(tested * chance[order] / np.arange(1, len(chance) + 1), 1.0)
    q = np.empty(len(chance))
    q[order] = np.minimum.accumulate(rates[::-1])[::-1]
    return q


def zero_tail(at_zero: Floats, *, has_pattern: bool = False) -> Tail:
    """The null distribution at zero shift, from pairs most of which are unrelated: a normal bulk with a heavier upper tail.

    Of few micrographs no fixed pattern is taken out, so that all of them may correlate: only what is far above the others, and above what
    a pattern usually makes, is more than that.
    """
    if len(at_zero) < MIN_FOR_BULK:
        start, scale = (HARDLY_ANY_AT_ZERO, HARDLY_ANY_AT_ZERO_SCALE) if has_pattern else (FEW_AT_ZERO, FEW_AT_ZERO_SCALE)
        return Tail(start=start, scale=scale, rate=0.01)
    everything, at_zero = np.sort(at_zero)[::-1], unrelated(at_zero)
    number_apart = len(everything) - len(at_zero)
    apart = float(everything[number_apart - 1]) if number_apart else float("inf")
    low, middle, high = np.quantile(at_zero, [0.16, 0.5, 0.84])
    # The lower side is too wide where the pattern holds something of a scene; the upper one where many pairs are duplicates.
    sd = max(float(min(middle - low, high - middle)), 0.3)
    start, scale = float(middle) + 3 * sd, 0.6 * sd
    if has_pattern or len(at_zero) < FEW:
        start, scale = min(max(start, FEW_AT_ZERO), BEYOND_PATTERN), max(scale, FEW_AT_ZERO_SCALE)
        return Tail(start=start, scale=min(scale, BEYOND_PATTERN / 10), rate=0.01)
    # If all were imaged twice without a shift, one pair in n is a duplicate: below those lie edges and patterns.
    rate = max(0.01, 1.5 / float(np.sqrt(2 * len(at_zero))))
    shares = [0.16, min(5 * rate, 0.1), rate]
    values = np.quantile(at_zero, [1 - share for share in shares])
    scales = [float(values[k + 1] - values[k]) / float(np.log(shares[k] / shares[k + 1])) for k in (0, 1)]
    return Tail(start=max(start, float(values[2])), scale=ZERO_HEAVY * max(scale, *scales), rate=rate, apart=apart)
