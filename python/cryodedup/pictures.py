"""Contrast-adjusted pictures of noisy images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core


def to_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """A little smoothed (an eye does not average as a correlation does), contrast from percentiles; shape (ny, nx), as the image."""
    return _core.picture(np.ascontiguousarray(image, np.float64))
