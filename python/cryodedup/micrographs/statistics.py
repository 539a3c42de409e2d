"""How many of the pairs at a given significance would be there by chance.

The null distribution is the session's own: of pairs of a mirrored micrograph and another one, which show nothing of each other but have
the same spectra, edges and bright spots (target and decoy, as in proteomics: Elias and Gygi 2007, Nature Methods 4, 207). Beyond the
values that occur, its tail falls exponentially, as that of a Gumbel distribution does. The false-discovery rate is that of Benjamini and
Hochberg (1995), J. R. Stat. Soc. B 57, 289. Pairs at zero shift, where the camera's fixed pattern shows, have a null distribution of
their own: that of the correlations at zero shift of all pairs looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TAIL = 200
"""The tail is fitted to as many of the largest values, or to a tenth of all if these are fewer."""
CAUTION = 2.0
"""Unrelated pairs are taken to be so many times as likely to reach a value as mirrored ones: edges that lie on the same side of many
micrographs fall on one another more often unmirrored. On simulated sessions 7 of 833 found pairs are false without, 3 of 828 with it."""
FEW, FEW_START, FEW_SCALE = 200, 4.6, 0.35
"""So few values tell no tail: a tenth of all is then taken to be above this, falling at least as slowly as in large sessions of noise."""
FEW_AT_ZERO, FEW_AT_ZERO_SCALE = 10.0, 2.0
"""The same at zero shift, where the camera's pattern reaches 5 to 9 in frames of usual gain references."""
BEYOND_PATTERN = 100.0
"""No pattern reaches this: frames that do are copies, or of one scene without any move, even if all do."""
LEAST_FOR_BULK = 6
"""Of fewer pairs none is taken to be usual."""
WILD = 15.0
"""A few mirrored pairs so many scales above the others are no chance: the session holds a mirrored copy."""
LEAST_SCALE = 0.15
"""The tail of a handful of values is not taken to fall faster than this, in standard deviations."""


@dataclass(frozen=True)
class Tail:
    """The upper tail of a null distribution: values above ``start`` are exponential of mean ``start + scale``.

    ``rate``: how many of all tested pairs are above ``start``.
    """

    start: float
    scale: float
    rate: float
    values: Floats = field(repr=False)

    @classmethod
    def fit(cls, values: Floats, tested: int) -> Tail:
        """From the values that were looked at, of so many tested pairs."""
        values = np.sort(np.asarray(values, np.float64))[::-1]
        if len(values) < 3:
            return cls(start=FEW_START, scale=FEW_SCALE, rate=CAUTION, values=values)
        n = int(min(TAIL, max(2, len(values) // 10)))
        start = float(values[n])
        usual = max(float(np.median(values[:n]) - start) / np.log(2), LEAST_SCALE)
        wild = int(np.count_nonzero(values > start + WILD * usual))
        if 0 < wild <= n // 50:
            return cls.fit(values[wild:], tested)
        # A few outliers (bright specks that coincide) must not be thinned out by the many others: the largest of three means.
        scales = [float(np.mean(values[:k]) - values[k]) for k in (n, max(2, n // 8), max(2, n // 25))]
        scale, rate = max(*scales, LEAST_SCALE), CAUTION * n / max(tested, 1)
        if len(values) < FEW:
            start, scale, rate = max(start, FEW_START), max(scale, FEW_SCALE), max(rate, CAUTION * 0.1)
        return cls(start=start, scale=scale, rate=rate, values=values)

    def probability(self, z: Floats) -> Floats:
        """The chance that an unrelated pair is at least that significant."""
        above = self.rate * np.exp(-np.maximum(z - self.start, 0) / self.scale)
        return np.where(z >= self.start, above, 1.0)


def q_values(z: Floats, at_zero: NDArray[np.bool_], elsewhere: Tail, zero: Tail, tested: int) -> Floats:
    """The false-discovery rate of each pair and all more significant ones; shape as ``z``, 0 to 1.

    Parameters
    ----------
    z
        Significance, standard deviations.
    at_zero
        Whether the shift is zero.
    elsewhere, zero
        Null distributions.
    tested
        How many pairs there were.
    """
    chance = np.where(at_zero, zero.probability(z), elsewhere.probability(z))
    order = np.argsort(chance, kind="stable")
    ranks = np.arange(1, len(z) + 1)
    rates = np.minimum(tested * chance[order] / ranks, 1.0)
    q = np.empty(len(z))
    q[order] = np.minimum.accumulate(rates[::-1])[::-1]
    return q


def zero_tail(at_zero: Floats) -> Tail:
    """The null distribution at zero shift, from pairs most of which are unrelated: a normal bulk with a heavier upper tail.

    Of few micrographs no fixed pattern is taken out, so that all of them may correlate: only what is far above the others, and above what
    a pattern usually makes, is more than that.
    """
    nothing = np.zeros(0)
    if len(at_zero) < LEAST_FOR_BULK:
        return Tail(start=FEW_AT_ZERO, scale=FEW_AT_ZERO_SCALE, rate=0.01, values=nothing)
    low, middle = np.quantile(at_zero, [0.16, 0.5])
    sd = max(float(middle - low), 0.3)
    start, scale = float(middle) + 3 * sd, 0.6 * sd
    if len(at_zero) < FEW:
        start, scale = min(max(start, FEW_AT_ZERO), BEYOND_PATTERN), max(scale, FEW_AT_ZERO_SCALE)
        scale = min(scale, BEYOND_PATTERN / 10)
    return Tail(start=start, scale=scale, rate=0.01, values=nothing)
