"""Micrographs with significantly more rejected particles than expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.result import ParticleOutcome

CHANCE = 0.05
"""A micrograph stands out if in at most this share of sessions one would be as extreme by chance."""
MAX_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Outlier:
    """A micrograph: its particles, how many are rejected, and by how many standard deviations that exceeds the expected number."""

    name: str
    particles: int
    rejected: int
    excess: float

    @property
    def percent(self) -> float:
        """The share of rejected particles, in per cent."""
        return 100 * self.rejected / self.particles


@dataclass(frozen=True, kw_only=True)
class Outliers:
    """Micrographs that stand out; ``percent``: rejected share of all particles; ``emptied``: number of micrographs with all rejected."""

    micrographs: tuple[Outlier, ...]
    percent: float
    emptied: int


def outliers(result: ParticleOutcome) -> Outliers:
    """Compares each micrograph with those covered by the same inputs; returns at most ``MAX_SHOWN``, the most extreme first."""
    n = np.bincount(result.micrograph_of, minlength=result.n_micrographs)
    rejected = np.bincount(result.micrograph_of[result.rejected], minlength=result.n_micrographs)
    shares = _expected_shares(result, n, rejected)
    excess = (rejected - n * shares) / np.sqrt(np.maximum(n * shares * (1 - shares), 0.25))
    min_chance = CHANCE / max(1, int(np.count_nonzero(n)))
    order = [
        k
        for k in np.argsort(-excess, kind="stable")[:MAX_SHOWN].tolist()
        if excess[k] > 0 and binomial_tail(int(rejected[k]), int(n[k]), float(shares[k])) < min_chance
    ]
    names = names_of_micrographs(result, order)
    return Outliers(
        micrographs=tuple(Outlier(name=names[k], particles=int(n[k]), rejected=int(rejected[k]), excess=float(excess[k])) for k in order),
        percent=100 * float(rejected.sum() / max(1, n.sum())),
        emptied=int(((rejected == n) & (n > 0)).sum()),
    )


def _expected_shares(result: ParticleOutcome, n: NDArray[np.int64], rejected: NDArray[np.int64]) -> NDArray[np.float64]:
    """For each micrograph the rejected share of all particles in micrographs covered by the same inputs, float64 (micrographs,)."""
    if not len(n):
        return np.zeros(0)
    alike = result.joined.coverage.alike() if len(result.sources) > 1 else np.zeros(len(n), np.int64)
    return np.asarray((np.bincount(alike, rejected) / np.maximum(1, np.bincount(alike, n)))[alike])


def binomial_tail(min_successes: int, n: int, share: float) -> float:
    """The probability of at least ``min_successes`` among n independent trials with the probability ``share``."""
    if not 0 < share < 1:
        return float(min_successes <= n * share)
    odds = np.log(share) - np.log1p(-share)
    ways = lgamma(n + 1) - lgamma(min_successes + 1) - lgamma(n - min_successes + 1)
    first = ways + min_successes * odds + n * np.log1p(-share)
    more = np.arange(min_successes, n)
    return float(min(1.0, np.exp(first + np.concatenate([[0.0], np.cumsum(np.log((n - more) / (more + 1)) + odds)])).sum()))


def names_of_micrographs(result: ParticleOutcome, wanted: Sequence[int]) -> dict[int, str]:
    """The names of some micrographs, each as the first input with particles in it gives it."""
    names: dict[int, str] = {}
    for source in result.sources:
        sought = np.zeros(result.n_micrographs, bool)
        sought[[number for number in wanted if number not in names]] = True
        rows = np.flatnonzero(sought[result.micrograph_of[source.rows]])
        numbers, first = np.unique(result.micrograph_of[source.rows][rows], return_index=True)
        of = source.picks.micrograph_of[rows[first]]
        names |= {number: source.picks.micrographs[k].name for number, k in zip(numbers.tolist(), of.tolist(), strict=True)}
    return {number: names.get(number, "") for number in wanted}
