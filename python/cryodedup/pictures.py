"""Noisy images made fit to be looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (0.5, 99.5)


def to_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """A little smoothed (an eye does not average as a correlation does), contrast from percentiles, shape as the image."""
    smooth = np.asarray(image, np.float64)
    for _ in range(2):
        smooth = _blurred(_blurred(smooth).T).T
    low, high = np.percentile(smooth, PERCENTILES)
    return np.asarray(np.clip((smooth - low) / max(float(high - low), 1e-12), 0, 1) * 255, np.uint8)


def _blurred(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row with half of the mean of its neighbours."""
    padded = np.pad(image, ((1, 1), (0, 0)), mode="edge")
    return 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
