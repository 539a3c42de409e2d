"""Conversions of units, in one place: inside the package everything is in Å, pixels of the micrograph and degrees, as names say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UM_TO_A = 1e4


def image_pixel_size_a(detector_um: NDArray[np.float64], magnification: NDArray[np.float64]) -> NDArray[np.float64]:
    """Å, from the detector's pixel size in µm (rlnDetectorPixelSize) and the magnification (rlnMagnification); float64 (n,)."""
    return detector_um * UM_TO_A / magnification


def extent_a(sides_px: tuple[float, float], pixel_size_a: float) -> tuple[float, float]:
    """Width and height of a micrograph, Å."""
    return sides_px[0] * pixel_size_a, sides_px[1] * pixel_size_a
