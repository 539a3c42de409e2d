"""The lattice (grid) on which coordinates were picked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.inputs.picks import Floats

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
    """The largest value within ``reach`` places: a peak lies between two places, and its k-th harmonic up to k times as far off."""
    return np.asarray(np.max([values[at + step] for step in range(-reach, reach + 1)], axis=0))
