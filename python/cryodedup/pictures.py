"""Contrast-adjusted pictures of noisy images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core

SAMPLED = 100
"""The surface is fitted to about this many rows and columns."""


def to_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """A little smoothed (an eye does not average as a correlation does), contrast from percentiles; shape (ny, nx), as the image."""
    return _core.picture(np.ascontiguousarray(image, np.float64))


def level(image: NDArray[Any]) -> NDArray[np.float64]:
    """An image without the slow change of its brightness, a surface of third degree, shape (ny, nx); pixels that are no numbers are 0."""
    rows, columns = (np.linspace(-1.0, 1.0, count) for count in image.shape)
    powers = [(i, j) for i in range(4) for j in range(4 - i)]
    every = [max(1, count // SAMPLED) for count in image.shape]
    y, x = np.meshgrid(rows[:: every[0]], columns[:: every[1]], indexing="ij")
    values = np.asarray(image[:: every[0], :: every[1]], np.float64)
    known = np.isfinite(values)
    terms = np.stack([y[known] ** i * x[known] ** j for i, j in powers], axis=1)
    fitted, *_ = np.linalg.lstsq(terms, values[known], rcond=None)
    # A product of powers of rows and of columns: no surface is made term by term.
    surface = np.zeros((4, 4))
    for (i, j), value in zip(powers, fitted, strict=True):
        surface[i, j] = value
    down, across = (np.vander(places, 4, increasing=True) for places in (rows, columns))
    return np.nan_to_num(image - down @ surface @ across.T, nan=0.0, posinf=0.0, neginf=0.0)
