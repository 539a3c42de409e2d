"""The minimum separation that the particles suggest.

As the minimum separation grows, the number of kept particles falls twice: first duplicates are lost, then real neighbours. Between them is
a valley with few pairs, which contains the suggested separation. Its limits are estimated from the distances of all pairs in a sample, see
:mod:`pair_curve`. Coordinates on a lattice have only a few distances; they are first moved at random within the cells of the lattice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.particles.analysis.neighbours import Groups, extent, nearest_distances, pair_distances, sampled, spread_at_random
from cryodedup.particles.analysis.pair_curve import WIDTH, PairCurve
from cryodedup.particles.inputs.picks import Floats
from cryodedup.particles.points import Points

MAX_SPREAD_A = 1e12
"""Particles further apart are in no image; the squares of such distances may be beyond all numbers."""
SAMPLE, MAX_PAIRS = 20_000, 250_000
"""Number of particles in the sample (or up to twice as many, in whole micrographs), and of their pairs: 30 ms."""
REACH = 6.0
"""Pairs are counted up to this many times the nearest-neighbour distance at random: with 8 picks per object, neighbours are at 6."""
MAX_PICKS = 8
"""If no gap ends them, sets of more particles are clusters. Of 122 simulated sets of duplicates without a gap, 1 had more picks an object;
of 28 sets of clusters, 25."""
HIGHEST = 0.7
"""The suggestion is in the middle of the valley, or above it up to this share of the valley."""
MARGIN = 4.0
"""With few pairs the end of the duplicates is uncertain: the suggestion is above it by at least the share ``MARGIN`` / √pairs."""
MIN_NEIGHBOURS = 20
"""With fewer distances the usual one cannot be estimated, and nothing is suggested."""
MIN_PER_MICROGRAPH = 3
"""The same if the median particle is in a micrograph with fewer particles."""
MAX_REJECTED = 0.01
"""A warning is given if a larger share is rejected without a peak of duplicates."""
CHANCE, MANY_TIMES = 0.25, 3.0
"""Of randomly placed particles, about ``CHANCE`` times the squared ratio of the separation to the usual distance are rejected; if more than
``MANY_TIMES`` as many are, they are duplicates."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """Holds what the distances between particles suggest; all in Å.

    Attributes
    ----------
    suggested_a
        The suggested minimum separation, in the valley between duplicates and neighbours. None: there is no clear valley.
    usual_distance_a
        The most frequent nearest-neighbour distance after removing duplicates. None: too few distances, or neighbours may be duplicates.
    first_descent_end_a
        Nearly all duplicates are closer than this. None: there is no peak of duplicates.
    second_descent_start_a
        From this separation on, neighbours would be rejected. None: there is no gap beyond the duplicates.
    lattice_a
        The spacing of the lattice on which coordinates lie, the coarsest of several. None: there is none, or it is too fine to matter.
    """

    suggested_a: float | None = None
    usual_distance_a: float | None = None
    first_descent_end_a: float | None = None
    second_descent_start_a: float | None = None
    lattice_a: float | None = None

    @property
    def no_gap(self) -> bool:
        """Whether there are duplicates, but no gap separates them from neighbours."""
        return self.first_descent_end_a is not None and self.suggested_a is None

    @property
    def no_peak(self) -> bool:
        """Whether there are enough particles to see duplicates, but no peak of them stands out."""
        return self.first_descent_end_a is None and self.usual_distance_a is not None

    def lines(self) -> list[str]:
        """Returns what the distances suggest, in sentences."""
        usual = f"usual distance of neighbours, without duplicates: {self.usual_distance_a or 0:.0f} Å"
        lines = [self._first_line()] if self.usual_distance_a is None else [self._first_line(), usual]
        if self.lattice_a is not None:
            lines.append(f"the coordinates lie on a lattice of {self.lattice_a:.3g} Å: distances are smoothed over it")
        return lines

    def _first_line(self) -> str:
        if self.suggested_a is not None:
            limits = f"duplicates end at {self.first_descent_end_a:.0f} Å, neighbours start at {self.second_descent_start_a:.0f} Å"
            return f"suggested minimum separation: {self.suggested_a:.0f} Å ({limits})"
        if self.no_gap:
            return "there seem to be duplicates, but no clear gap separates them from neighbours: no separation is suggested"
        if self.no_peak:
            return "no peak of duplicates stands out from the distances of neighbours: no separation is suggested"
        return (
            "too few neighbours, or particles in clusters: duplicates cannot be separated from neighbours, and no separation is suggested"
        )

    def summary(self) -> dict[str, object]:
        """For JSON."""
        values = {key: None if value is None else round(value, 3) for key, value in vars(self).items()}
        return {**values, "no_gap": self.no_gap, "verdict": self._first_line()}

    def about_pairs(self, separation_a: float) -> str | None:
        """A sentence on pairs that were counted as duplicates within a separation, if they are likely neighbours."""
        if not self.pairs_are_neighbours(separation_a):
            return None
        why = "no peak of duplicates stands out" if self.no_peak else f"neighbours are usually {self.usual_distance_a:.0f} Å apart"
        return f"{why}: pairs within {separation_a:g} Å are likely neighbours, not duplicates; try a smaller separation"

    def pairs_are_neighbours(self, separation_a: float) -> bool:
        """Whether the pairs within a separation are likely neighbours rather than duplicates."""
        return self.no_peak or (self.usual_distance_a is not None and separation_a > self.usual_distance_a)

    def warnings(self, separation_a: float, rejected: int, particles: int) -> list[str]:
        """Warnings about a separation that rejected ``rejected`` of ``particles`` particles as duplicates."""
        return [*self._above_neighbours(separation_a), *self._without_peak(separation_a, rejected, particles)]

    def leaves_duplicates_at(self, separation_a: float) -> bool:
        """Whether a separation leaves duplicates; 0 stands for equal coordinates, and is chosen to leave others."""
        return self.suggested_a is not None and 0 < separation_a < (self.first_descent_end_a or 0.0)

    def warning_of_left(self, separation_a: float, left: int, about: str = "") -> str:
        """The warning that ``left`` of the kept particles are duplicates, at a separation that leaves some; ``about``: of an estimate."""
        return (
            f"the minimum separation, {separation_a:g} Å, is below {self.first_descent_end_a:.3g} Å, where the distances of duplicates"
            f" end: {about}{left:,} of the kept particles {'is a duplicate' if left == 1 else 'are duplicates'}; choose"
            f" {self.suggested_a:.0f} Å, or check the pixel size if the particles have another size"
        )

    def _above_neighbours(self, separation_a: float) -> list[str]:
        instead = f"choose {self.suggested_a:.0f} Å" if self.suggested_a is not None else "choose a smaller one"
        usual, start = self.usual_distance_a, self.second_descent_start_a
        if usual is not None and separation_a > usual:
            return [
                f"the minimum separation, {separation_a:g} Å, is above the usual distance of neighbours, {usual:.4g} Å: particles that"
                f" are not duplicates are rejected; {instead}"
            ]
        if start is not None and separation_a > start:
            return [
                f"the minimum separation, {separation_a:g} Å, is above {start:.4g} Å, where the distances of neighbours start:"
                " particles that are not duplicates are rejected;"
                f" {instead}"
            ]
        return []

    def _without_peak(self, separation_a: float, rejected: int, particles: int) -> list[str]:
        """A warning if no more is rejected than neighbours at their usual distance would explain."""
        if not self.no_peak or self.usual_distance_a is None or rejected <= MAX_REJECTED * particles:
            return []
        by_chance = CHANCE * (separation_a / self.usual_distance_a) ** 2
        if rejected > MANY_TIMES * by_chance * particles:
            return []  # a few close pairs make no peak, but are not neighbours
        return [
            "no peak of duplicates stands out from the distances of neighbours, and"
            f" {100 * rejected / particles:.1f} % of the particles are rejected: these are probably neighbours, not duplicates; choose"
            f" a minimum separation below {separation_a:g} Å, or keep all"
        ]


def suggest(coordinates_a: Floats, micrograph_of: Groups, threads: int = 0) -> Suggestion:
    """The minimum separation that the particles suggest, from the distances in a sample of at most some 40,000 of them.

    Parameters
    ----------
    coordinates_a
        float64 (n, 2) or (n, 3), Å.
    micrograph_of
        uint32 (n,): particles of different micrographs are not neighbours.
    threads
        0: one a processor. The result does not depend on it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> once = 150.0 * np.stack(np.meshgrid(np.arange(20), np.arange(20)), axis=-1).reshape(-1, 2)
    >>> twice = np.concatenate([once, once[:100] + rng.normal(0, 5, (100, 2))])
    >>> suggest(once, np.zeros(400, np.uint32)).suggested_a is None
    True
    >>> 20 < suggest(twice, np.zeros(500, np.uint32)).suggested_a < 140
    True
    """
    if len(coordinates_a) < MIN_NEIGHBOURS:
        return Suggestion()
    points, groups = _sample(coordinates_a, micrograph_of)
    at_random = spread_at_random(points, groups)
    if not 0 < at_random < MAX_SPREAD_A:
        return Suggestion()
    reach, lattice = REACH * at_random, lattice_spacing(points, at_random)
    curve = _curve(points, groups, max(lattice, finest_spacing(points, at_random)), reach)
    end = curve.first_descent_end()
    first, second, suggested = (None, None, None) if end is None else _valley(curve, end)
    if end is not None and suggested is None and curve.picks_per_object(end) > MAX_PICKS:
        return Suggestion(lattice_a=lattice or None)
    usual = None
    if first is None:
        usual = _usual_distance(points, groups, reach, threads)
    elif suggested is not None:
        kept = _core.deduplicate(Points(points, groups), suggested, threads=threads).kept
        usual = _usual_distance(points[kept], groups[kept], reach, threads)
    return Suggestion(
        suggested_a=None if usual is None else suggested,
        usual_distance_a=usual,
        first_descent_end_a=first,
        second_descent_start_a=second,
        lattice_a=lattice or None,
    )


def _sample(coordinates_a: Floats, micrograph_of: Groups) -> tuple[Floats, Groups]:
    """A sample of the particles and their micrographs, without those far from all others."""
    rows = sampled(coordinates_a, micrograph_of, SAMPLE)
    points, groups = np.asarray(coordinates_a[rows], np.float64), micrograph_of[rows]
    low, high = extent(points)
    inside = ((points >= 2 * low - high) & (points <= 2 * high - low)).all(axis=1)
    return np.ascontiguousarray(points[inside]), np.ascontiguousarray(groups[inside])


def _curve(points: Floats, groups: Groups, cell: float, reach: float) -> PairCurve:
    """The pair curve of the points, each moved at random within its cell of a lattice."""
    spread = points + np.random.default_rng(0).uniform(-0.5, 0.5, points.shape) * cell
    distances, share = pair_distances(spread, groups, reach, MAX_PAIRS)
    low, high = extent(points)
    return PairCurve.of(distances, reach, high - low, share * len(points))


def _valley(curve: PairCurve, end: int) -> tuple[float | None, float | None, float | None]:
    """The end of duplicates, whose index is ``end``, the start of neighbours, and the separation suggested between them."""
    first, second = float(curve.radii_a[end]), curve.second_descent_start(end)
    if second is None or second < WIDTH * first:
        return first, None, None
    certain = first * (1 + MARGIN / float(np.sqrt(curve.pairs[end])))
    suggested = max(0.5 * (first + second), certain)
    return first, second, suggested if suggested <= first + HIGHEST * (second - first) else None


def _usual_distance(points: Floats, groups: Groups, reach: float, threads: int) -> float | None:
    """The most frequent nearest-neighbour distance; None: too few."""
    if not len(groups) or np.median(np.bincount(groups)[groups]) < MIN_PER_MICROGRAPH:
        return None
    distances = nearest_distances(points, groups, reach, threads)
    return mode(distances) if len(distances) >= MIN_NEIGHBOURS else None


def mode(values: Floats) -> float:
    """The mode of ascending values: the maximum of their density, smoothed by the rule of Silverman (1986)."""
    spread = min(float(np.std(values)), float(np.subtract(*np.quantile(values, [0.75, 0.25]))) / 1.34)
    width = max(0.9 * spread * len(values) ** -0.2, 1e-3 * float(values[-1]), 1e-9)
    counts, edges = np.histogram(values, np.arange(0.0, np.quantile(values, 0.99) + 4 * width, 0.25 * width))
    kernel = np.exp(-0.5 * (np.arange(-16, 17) / 4) ** 2)
    return float(0.5 * (edges[1:] + edges[:-1])[np.convolve(counts, kernel)[16:-16].argmax()])


HARMONICS = (1, 2, 3)
"""A lattice also has power at multiples of its frequency, where filaments and crystals of real particles have lost theirs."""
FINENESS = 7
"""Coordinates are counted in bins of the finest spacing divided by this: the third harmonic is then below the Nyquist frequency of the
bins."""
BACKGROUND_BLOCKS = 40
"""The background of the power spectrum is its median in each of this many blocks of frequencies."""
MIN_POWER = 5.0
"""Minimum power over background at each harmonic along each axis; by chance this is passed at a frequency with a probability of
exp(-30)."""
MIN_COHERENCE = 0.03
"""Minimum power at the first harmonic, as a share of that of a perfect lattice; so low because only one of five inputs may have a
lattice."""
FINEST, FINEST_OF_EXTENT = 1 / 400, 1 / 4000
"""The finest lattice searched for, as a share of the distance between neighbours and of the extent (the larger counts): usually 1 Å."""
COARSEST, COARSEST_OF_EXTENT = 1 / 2, 1 / 20
APART = 32
"""Differences are taken between particles n / 32 apart in their order: mostly of one input, and not next to each other."""


def finest_spacing(coordinates_a: Floats, typical_a: float) -> float:
    """The finest spacing searched for, Å; finer lattices are smoothed over without being detected."""
    return max(FINEST * typical_a, FINEST_OF_EXTENT * float(np.ptp(coordinates_a, axis=0).max()))


def lattice_spacing(coordinates_a: Floats, typical_a: float) -> float:
    """The spacing of the square or cubic lattice that coordinates lie on, in Å; 0 if there is none.

    It is the longest period of the differences of coordinates: the lowest frequency at which the power spectrum has a peak at each
    harmonic along each axis. Differences within one input are multiples of its spacing, whatever its offset, and each of several
    inputs has its own peak. So the power of two lattices of one spacing cannot cancel, as that of the coordinates themselves could.

    Parameters
    ----------
    coordinates_a
        float64 (n, axes), inputs one after the other, without outliers.
    typical_a
        The typical distance between neighbours, Å; a lattice is finer.
    """
    step = max(1, len(coordinates_a) // APART)
    differences = coordinates_a[step:] - coordinates_a[:-step]
    extents = np.ptp(coordinates_a, axis=0)
    extent, differences = float(extents.max()), differences[:, extents > 0]
    finest = finest_spacing(coordinates_a, typical_a)
    longest = min(COARSEST * typical_a, COARSEST_OF_EXTENT * extent)
    bin_size = finest / FINENESS
    bins = 2 ** int(np.ceil(np.log2(extent / bin_size + 1)))
    frequencies = np.arange(int(bins * bin_size / longest), int(bins * bin_size / finest))
    if not len(frequencies):
        return 0.0
    spectra = [_power(column, bin_size, bins)[: HARMONICS[-1] * (int(frequencies[-1]) + 2)] for column in differences.T]
    over = np.min([power / np.maximum(_background(power), len(differences)) for power in spectra], axis=0)
    power = np.min(spectra, axis=0)
    least = np.min([_best_near(over, harmonic * frequencies, harmonic) for harmonic in HARMONICS], axis=0)
    found = (least > MIN_POWER) & (_best_near(power, frequencies, 1) > MIN_COHERENCE * len(differences) ** 2)
    if not found.any():
        return 0.0
    start = int(frequencies[found.argmax()])
    return float(bins * bin_size / (start + int(power[start : start + 3].argmax())))


def _power(values: Floats, bin_size: float, bins: int) -> Floats:
    """Power spectrum of the histogram of values, which may wrap around, since only multiples of the lowest frequency are needed."""
    counts = np.bincount(np.floor(values / bin_size).astype(np.int64) % bins, minlength=bins)
    return np.asarray(np.abs(np.fft.rfft(counts)) ** 2)


def _background(power: Floats) -> Floats:
    """The spectrum between its peaks, from medians: the median of exponentially distributed power is ln 2 times its mean."""
    size = len(power) // BACKGROUND_BLOCKS
    medians = np.median(power[: size * BACKGROUND_BLOCKS].reshape(BACKGROUND_BLOCKS, size), axis=1) / np.log(2)
    return np.asarray(np.interp(np.arange(len(power)), size * (np.arange(BACKGROUND_BLOCKS) + 0.5), medians))


def _best_near(values: Floats, at: NDArray[np.int64], reach: int) -> Floats:
    """The largest value within ``reach`` values: a peak lies between two values, and its k-th harmonic up to k times as far off."""
    return np.asarray(np.max([values[at + step] for step in range(-reach, reach + 1)], axis=0))
