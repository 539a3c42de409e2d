"""The distances at which the density of pairs drops beyond the duplicates, and rises again at real neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.inputs.picks import Floats

RADII, RATIO = 90, 1.08
"""Number of distances at which pairs are counted, and their ratio: they start at a thousandth of the reach."""
WIDTH = 1.4
"""The density beyond a step is measured up to at least this many times its distance; a narrower valley does not count."""
EVIDENCE = 12.0
"""Minimum log likelihood ratio of a step against none: exp(-12) is 6e-6, and some hundreds of distances are tried for each step."""
NEAR = 2.5
"""A further step down within this many times the distance of the previous one is its tail."""
BESIDE = 1.5
"""Further away it is another kind of duplicates (refined ones in addition to exact copies) if pairs before it are this many times as dense
as beyond it."""
INNERMOST = 400
"""Duplicates are densest at zero: the innermost volume in which this many would be expected if they were spread evenly has at least as
many."""
OFFSET, FEW = 15.0, 0.05
"""Duplicates with a common offset do not start at zero; but up to ``OFFSET`` times their distance there are at most ``FEW`` more pairs, as
a share."""
MAX_LOST = 0.01
"""A valley ends where this share of the particles (1 %) would be lost to neighbours; a suggestion is right if it loses up to 2 %."""
MAX_FLOOR = 0.1
"""Maximum share of the even floor among the pairs up to the end of duplicates. With more, as from false picks, the end is uncertain: on
even seeds 6 of 10 wrong suggestions had more, and 1 % of the right ones."""
DIRECTIONS = 16
"""Number of directions over a right angle, to average the share of a shell that is inside the micrograph."""


@dataclass(frozen=True, kw_only=True)
class PairCurve:
    """Numbers of pairs within many distances.

    Attributes
    ----------
    radii_a
        float64 (n + 1,): distances in Å, from 0.
    pairs
        float64 (n + 1,): number of pairs within each.
    volumes
        float64 (n + 1,): area or volume within each, without the part outside the micrograph; random pairs are proportional to it.
    distances_a
        float64 (pairs,), ascending: the distances themselves.
    particles
        Number of particles whose pairs were counted.
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
        pairs[0] = 0  # exact copies are counted within every other distance
        return cls(radii_a=radii, pairs=pairs, volumes=_volumes(radii, sides_a), distances_a=distances_a, particles=particles)

    def picks_per_object(self, end: int) -> float:
        """Mean number of picks per object, if all pairs up to a radius are duplicates; pairs of neighbours are multiplied by its square."""
        return float(1 + 2 * self.pairs[end] / self.particles)

    def first_descent_end(self) -> int | None:
        """Index of the radius up to which duplicates reach; None if there are none.

        Found step by step: pairs are much denser before the end of a step than beyond it, and densest at the centre.
        """
        end = 0
        while (step := self._step_down(end)) is not None:
            end = step
        return end or None

    def _step_down(self, start: int) -> int | None:
        """The end of the best step down beyond a radius, if it is one of duplicates."""
        end, far, evidence = self._best_step(start, len(self.pairs))
        if evidence < EVIDENCE:
            return None
        while True:  # a step may contain duplicates, and neighbours in rings around them
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
        """The best step down between two radii: its end, the end of the interval beyond it, and its evidence."""
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
        """Whether the pairs of a step are, up to chance, as dense at its beginning as on average; those of neighbours lie at its end."""
        n = self.pairs[end] - self.pairs[start]
        if n == 0:
            return True
        if self._is_hollow(start, end):
            return False
        expected = float(min(INNERMOST, 0.25 * n))
        return bool(self._inside(start, end, expected / float(n)) >= max(1.0, expected - 2 * np.sqrt(expected)))

    def _is_hollow(self, start: int, end: int) -> bool:
        """Whether pairs become denser between two radii: particles in clusters or on membranes keep a distance, duplicates do not."""
        inner, outer = self._intervals(start, end + 1)
        n, volume = self.pairs - self.pairs[start], self.volumes - self.volumes[start]
        evidence = -_evidence(n[inner], n[outer], volume[inner] / volume[outer])
        return bool((evidence > EVIDENCE * (1 + 2 * self.pairs[inner] / self.particles) ** 2).any())

    def _inside(self, start: int, end: int, share: float) -> float:
        """Number of pairs in the innermost share of the volume between two radii."""
        volume = self.volumes[start] + share * (self.volumes[end] - self.volumes[start])
        radius = np.interp(np.sqrt(volume), np.sqrt(self.volumes), self.radii_a)
        return float(np.searchsorted(self.distances_a, radius, side="right") - self.pairs[start])

    def _is_alone(self, end: int) -> bool:
        """Whether hardly any pairs follow those within a radius, up to ``OFFSET`` times that radius."""
        far = int(np.searchsorted(self.radii_a, OFFSET * self.radii_a[end]))
        return far < len(self.pairs) and bool(self.pairs[far] <= (1 + FEW) * self.pairs[end])

    def second_descent_start(self, end: int) -> float | None:
        """The distance from which neighbours would be lost, Å; None: there is no valley beyond the duplicates.

        ``end``: index of the end of the first descent. If the density rises again beyond it, the even floor of the valley is attributed to
        false picks, and only the excess is counted. If not, the floor may be real particles, and all pairs are counted.
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
        """The limits of the first ring beyond the duplicates that is no denser than any ring that begins within it."""
        high = np.searchsorted(self.radii_a, WIDTH * self.radii_a)
        inside = np.minimum(high, len(self.pairs) - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            density = (self.pairs[inside] - self.pairs + per_object**2) / (self.volumes[inside] - self.volumes)
        low = end
        while high[low] < len(self.pairs) and density[low] > (behind := density[low + 1 : inside[low] + 1]).min(initial=np.inf):
            low += 1 + int(behind.argmin())
        return low, int(high[low])

    def _step_up(self, start: int, per_object: float) -> int | None:
        """Index of the radius beyond which pairs are denser than before; None if there is none."""
        inner, outer = self._intervals(start, len(self.pairs))
        n, volume = self.pairs - self.pairs[start], self.volumes - self.volumes[start]
        evidence = -_evidence(n[inner], n[outer], volume[inner] / volume[outer])
        if not len(evidence) or evidence.max() < EVIDENCE * per_object**2:
            return None
        return int(inner[evidence.argmax()])

    def _intervals(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All possible ends of a step beyond a radius, each with all ends of the interval that follows."""
        inner, outer = np.triu_indices(stop, 1)
        good = (inner > start) & (self.radii_a[outer] >= WIDTH * self.radii_a[inner])
        return inner[good], outer[good]


def _evidence(inside: Floats, n: Floats, share: Floats) -> Floats:
    """Log likelihood ratio of ``inside`` of ``n`` pairs in a share of the volume, against an even spread; negative if there are fewer."""
    found = inside / np.maximum(n, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = np.where(found > 0, found * np.log(found / share), 0.0)
        less = np.where(found < 1, (1 - found) * np.log((1 - found) / (1 - share)), 0.0)
    return np.asarray(n * (more + less) * np.sign(found - share))


def _volumes(radii: Floats, sides: Floats) -> Floats:
    """Mean area (volume) within each distance of a particle that lies inside the micrograph, up to a factor.

    The share of a shell that is inside is the mean of (1 - r |x| / a) (1 - r |y| / b) over directions (x, y).
    """
    sides = sides[sides > 0]
    middles = 0.5 * (radii[1:] + radii[:-1])
    inside = np.maximum(0.0, 1 - middles[:, None, None] * _directions(len(sides)) / sides).prod(axis=2).mean(axis=1)
    shells = np.diff(radii ** len(sides)) * np.maximum(inside, 1e-3)
    return np.concatenate([[0.0], np.cumsum(shells)])


def _directions(axes: int) -> Floats:
    """Unit vectors evenly spread over a quarter of a circle or an eighth of a sphere, shape (n, axes)."""
    steps = (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    if axes == 1:
        return np.ones((1, 1))
    if axes == 2:
        return np.stack([np.cos(0.5 * np.pi * steps), np.sin(0.5 * np.pi * steps)], axis=1)
    z, angle = (grid.ravel() for grid in np.meshgrid(steps, 0.5 * np.pi * steps))
    return np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
