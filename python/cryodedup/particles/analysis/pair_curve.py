"""Where the number of pairs steps down behind the duplicates, and up again at real neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.inputs.picks import Floats

RADII, RATIO = 90, 1.08
"""Distances at which pairs are counted, and what each is over the one before: from a thousandth of the reach on."""
WIDTH = 1.4
"""What is behind a step is looked at up to so many times its distance at least; a valley that is narrower is none."""
EVIDENCE = 12.0
"""Log likelihood ratio of a step against none: exp(-12) is 6e-6, and some hundreds of distances are tried for each step."""
NEAR = 2.5
"""A further step down at up to so many times the distance is the tail of the one before."""
BESIDE = 1.5
"""Further off it is another sort of duplicates (refined ones beside exact copies) if pairs are so many times as dense as behind it."""
INNERMOST = 400
"""Duplicates are densest at zero: where so many of them would be if they were spread evenly, there are not less."""
OFFSET, FEW = 15.0, 0.05
"""Duplicates of one offset do not begin at zero, but up to so many times their distance there is hardly a pair more, as a share."""
MAX_LOST = 0.01
"""A valley ends where so many of the particles would be lost to neighbours (that is 1 %): the limit of what is right is 2 %."""
MAX_FLOOR = 0.1
"""Of the pairs up to the end of duplicates so many, as a share, may be of the floor. With more, as false picks make it, the end is
uncertain: on even seeds 6 of 10 wrong suggestions had more, and 1 % of the right ones."""
DIRECTIONS = 16
"""Directions over a right angle, for the share of a shell that is inside."""


@dataclass(frozen=True, kw_only=True)
class PairCurve:
    """Pairs within each of many distances.

    Attributes
    ----------
    radii_a
        float64 (n + 1,): distances in Å, from 0.
    pairs
        float64 (n + 1,): pairs within them.
    volumes
        float64 (n + 1,): area or volume within them, less what lies outside the micrograph: pairs at random are proportional to it.
    distances_a
        float64 (pairs,), ascending: the distances themselves.
    particles
        How many particles these are the pairs of.
    """

    radii_a: Floats
    pairs: Floats
    volumes: Floats
    distances_a: Floats
    particles: float

    @classmethod
    def of(cls, distances_a: Floats, reach_a: float, sides_a: Floats, particles: float) -> PairCurve:
        """Counts pair distances; ``sides_a``: the extent of a micrograph along each axis."""
        radii = np.concatenate([[0.0], reach_a * RATIO ** np.arange(1.0 - RADII, 1.0)])
        pairs = np.searchsorted(distances_a, radii, side="right").astype(float)
        pairs[0] = 0  # exact copies are within any distance, too
        return cls(radii_a=radii, pairs=pairs, volumes=_volumes(radii, sides_a), distances_a=distances_a, particles=particles)

    def picks_per_object(self, end: int) -> float:
        """How many picks a particle has, if all pairs up to a radius are duplicates: pairs of two neighbours count its square."""
        return float(1 + 2 * self.pairs[end] / self.particles)

    def first_descent_end(self) -> int | None:
        """The radius up to which duplicates reach; None if there are none.

        Step by step: where pairs are much denser than behind, and densest at the centre.
        """
        end = 0
        while (step := self._step_down(end)) is not None:
            end = step
        return end or None

    def _step_down(self, start: int) -> int | None:
        """The end of the best step down behind a radius, if it is one of duplicates."""
        end, far, evidence = self._best_step(start, len(self.pairs))
        if evidence < EVIDENCE:
            return None
        while True:  # a step may hold duplicates, and neighbours in rings round them
            inner, _, inner_evidence = self._best_step(start, end + 1)
            if inner_evidence < EVIDENCE or (self._begins_at(start, end) and self._begins_at(inner, end)):
                break
            end = inner
        if start == 0:
            return end if self._begins_at(0, end) or self._is_alone(end) else None
        if self.radii_a[end] > NEAR * self.radii_a[start]:
            density, behind = self._density(start, end), self._density(end, far)
            if evidence < EVIDENCE * self.picks_per_object(start) ** 2 or density < BESIDE * behind:
                return None
        return end if self._begins_at(start, end) else None

    def _best_step(self, start: int, stop: int) -> tuple[int, int, float]:
        """End, end of what is behind, and evidence of the best step down between two radii."""
        inner, outer = self._intervals(start, stop)
        if not len(inner):
            return start, start, 0.0
        n, volume = self.pairs - self.pairs[start], self.volumes - self.volumes[start]
        evidence = _evidence(n[inner], n[outer], volume[inner] / volume[outer])
        best = int(evidence.argmax())
        return int(inner[best]), int(outer[best]), float(evidence[best])

    def _density(self, start: int, end: int) -> float:
        return float((self.pairs[end] - self.pairs[start]) / (self.volumes[end] - self.volumes[start]))

    def _begins_at(self, start: int, end: int) -> bool:
        """Whether the pairs of a step are, up to chance, as dense where it begins as on average; those of neighbours lie at its end."""
        n = self.pairs[end] - self.pairs[start]
        if n == 0:
            return True
        expected = float(min(INNERMOST, 0.25 * n))
        return bool(self._inside(start, end, expected / float(n)) >= max(1.0, expected - 2 * np.sqrt(expected)))

    def _inside(self, start: int, end: int, share: float) -> float:
        """Pairs in the innermost share of the volume between two radii."""
        volume = self.volumes[start] + share * (self.volumes[end] - self.volumes[start])
        radius = np.interp(np.sqrt(volume), np.sqrt(self.volumes), self.radii_a)
        return float(np.searchsorted(self.distances_a, radius, side="right") - self.pairs[start])

    def _is_alone(self, end: int) -> bool:
        """Whether next to no pairs are behind those within a radius for a long way."""
        far = int(np.searchsorted(self.radii_a, OFFSET * self.radii_a[end]))
        return far < len(self.pairs) and bool(self.pairs[far] <= (1 + FEW) * self.pairs[end])

    def second_descent_start(self, end: int) -> float | None:
        """The distance from which on neighbours would be lost, Å; None: there is no valley behind the duplicates.

        ``end``: that of the first descent. Where the pairs step up again behind it, the even floor of the valley is of false picks, and
        what exceeds it is counted. If they do not, the floor may be of particles, and all pairs are counted.
        """
        per_object = self.picks_per_object(end)
        low, high = self._quiet(end, per_object)
        if high >= len(self.pairs):
            return None
        n, volume = self.pairs - self.pairs[low], self.volumes - self.volumes[low]
        floor = n[high] / volume[high]
        if floor * self.volumes[end] > MAX_FLOOR * self.pairs[end]:
            return None
        chance = per_object * np.sqrt(floor * np.abs(volume) + per_object**2)
        most = MAX_LOST * self.particles * per_object
        rise = self._step_up(low, per_object)
        if rise is None:
            floor += per_object**2 / volume[high]
            start = min(self.radii_a[high], np.interp(most, floor * self.volumes, self.radii_a))
        else:
            above = np.flatnonzero((n - floor * volume > most + chance)[low:rise])
            start = self.radii_a[low + int(above[0]) - 1 if len(above) else rise]
        return float(start)

    def _quiet(self, end: int, per_object: float) -> tuple[int, int]:
        """The limits of the first ring behind the duplicates that has fewer pairs than any that begins in it."""
        high = np.searchsorted(self.radii_a, WIDTH * self.radii_a)
        inside = np.minimum(high, len(self.pairs) - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            density = (self.pairs[inside] - self.pairs + per_object**2) / (self.volumes[inside] - self.volumes)
        low = end
        while high[low] < len(self.pairs) and density[low] > (behind := density[low + 1 : inside[low] + 1]).min(initial=np.inf):
            low += 1 + int(behind.argmin())
        return low, int(high[low])

    def _step_up(self, start: int, per_object: float) -> int | None:
        """The radius behind which pairs are denser than before, None if they are nowhere."""
        inner, outer = self._intervals(start, len(self.pairs))
        n, volume = self.pairs - self.pairs[start], self.volumes - self.volumes[start]
        evidence = -_evidence(n[inner], n[outer], volume[inner] / volume[outer])
        if not len(evidence) or evidence.max() < EVIDENCE * per_object**2:
            return None
        return int(inner[evidence.argmax()])

    def _intervals(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All ends of a step behind a radius, and of what is behind each."""
        inner, outer = np.triu_indices(stop, 1)
        good = (inner > start) & (self.radii_a[outer] >= WIDTH * self.radii_a[inner])
        return inner[good], outer[good]


def _evidence(inside: Floats, n: Floats, share: Floats) -> Floats:
    """Log likelihood ratio of ``inside`` of ``n`` pairs in a share of the volume, against an even spread; negative if they are too few."""
    found = inside / np.maximum(n, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = np.where(found > 0, found * np.log(found / share), 0.0)
        less = np.where(found < 1, (1 - found) * np.log((1 - found) / (1 - share)), 0.0)
    return np.asarray(n * (more + less) * np.sign(found - share))


def _volumes(radii: Floats, sides: Floats) -> Floats:
    """Mean area (volume) within distances of a particle that lies inside its micrograph as well, up to a factor.

    A shell's share inside is the mean of (1 - r |x| / a) (1 - r |y| / b) over directions (x, y).
    """
    sides = sides[sides > 0]
    middles = 0.5 * (radii[1:] + radii[:-1])
    inside = np.maximum(0.0, 1 - middles[:, None, None] * _directions(len(sides)) / sides).prod(axis=2).mean(axis=1)
    shells = np.diff(radii ** len(sides)) * np.maximum(inside, 1e-3)
    return np.concatenate([[0.0], np.cumsum(shells)])


def _directions(axes: int) -> Floats:
    """Unit vectors evenly over the quarter of a circle or the eighth of a sphere, shape (n, axes)."""
    steps = (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    if axes == 1:
        return np.ones((1, 1))
    if axes == 2:
        return np.stack([np.cos(0.5 * np.pi * steps), np.sin(0.5 * np.pi * steps)], axis=1)
    z, angle = (grid.ravel() for grid in np.meshgrid(steps, 0.5 * np.pi * steps))
    return np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
