"""The grid that coordinates were picked on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.inputs.picks import Floats

HARMONICS = (1, 2, 3)
"""A lattice has power at multiples of its frequency as well; a crystal of real particles loses it there."""
FINENESS = 7
"""Coordinates are counted in bins of the finest spacing over this: the third harmonic is still below the limit of the bins."""
BACKGROUND_BLOCKS = 40
"""The background of the power spectrum is its median in so many blocks of frequencies."""
MIN_POWER = 10.0
"""Power over background at each harmonic. Chance passes it at one frequency with exp(-30), times about 100 for the search beside it."""
MIN_COHERENCE = 0.03
"""Power at the first harmonic as a share of that of a perfect lattice: one of five inputs may have a lattice of its own."""
FINEST, FINEST_OF_EXTENT = 1 / 400, 1 / 4000
"""Lattices are looked for from such a share of the distance between neighbours, and of the extent, on: finer ones do not matter."""
COARSEST, COARSEST_OF_EXTENT = 1 / 2, 1 / 20


def lattice_spacings(coordinates_a: Floats, typical_a: float) -> Floats:
    """Shape (axes,): the spacing of the lattice that coordinates lie on along each axis, in Å; 0 where there is none.

    Parameters
    ----------
    coordinates_a
        float64 (n, axes), n > 0, without wild ones.
    typical_a
        The typical distance between neighbours; a lattice is finer.
    """
    return np.array([_spacing(column, typical_a) for column in coordinates_a.T])


def _spacing(values: Floats, typical: float) -> float:
    """The longest period of values: the lowest frequency at which it and its harmonics stand out of the power spectrum.

    The phase does not matter, so inputs with lattices of other offsets or spacings each keep their peak.
    """
    extent = float(np.ptp(values))
    finest = max(FINEST * typical, FINEST_OF_EXTENT * extent)
    longest = min(COARSEST * typical, COARSEST_OF_EXTENT * extent)
    bin_size = finest / FINENESS
    bins = 2 ** int(np.ceil(np.log2(extent / bin_size + 1)))
    if extent == 0 or longest <= finest:
        return 0.0
    counts = np.bincount(((values - values.min()) / bin_size).astype(np.int64), minlength=bins)
    power = np.abs(np.fft.rfft(counts)) ** 2
    frequencies = np.arange(int(bins * bin_size / longest), int(bins * bin_size / finest))
    power = power[: HARMONICS[-1] * (int(frequencies[-1]) + 2)]
    over = power / np.maximum(_background(power), len(values))
    least = np.min([_best_near(over, harmonic * frequencies, harmonic) for harmonic in HARMONICS], axis=0)
    found = (least > MIN_POWER) & (_best_near(power, frequencies, 1) > MIN_COHERENCE * len(values) ** 2)
    if not found.any():
        return 0.0
    start = int(frequencies[found.argmax()])
    return float(bins * bin_size / (start + int(power[start : start + 3].argmax())))


def _background(power: Floats) -> Floats:
    """What the spectrum has between its peaks; the median of exponentially distributed power is ln 2 of its mean."""
    size = len(power) // BACKGROUND_BLOCKS
    medians = np.median(power[: size * BACKGROUND_BLOCKS].reshape(BACKGROUND_BLOCKS, size), axis=1) / np.log(2)
    return np.asarray(np.interp(np.arange(len(power)), size * (np.arange(BACKGROUND_BLOCKS) + 0.5), medians))


def _best_near(values: Floats, at: NDArray[np.int64], reach: int) -> Floats:
    """The largest value within so many places: a peak lies between two, and its multiples as many times further off."""
    return np.asarray(np.max([values[at + step] for step in range(-reach, reach + 1)], axis=0))
