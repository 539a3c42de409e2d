"""Raster pictures as data URLs: micrographs, maps of counts, and points if they are too many for a path."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

COLOURS = {"first": "#3d8fd9", "second": "#e8832a", "mark": "#d6336c", "grey": "#7b828c"}
"""Colours for raster pictures, which do not change with the page: they are visible on a dark and on a white page."""
VIRIDIS = ("#355f8d", "#2e6f8e", "#277e8e", "#228d8d", "#1e9c89", "#25ab82", "#38b977", "#56c667", "#7ad151")
"""The colour map of that name (van der Walt and Smith 2015, CC0) from 0.3 to 0.8: all colours are visible on a dark and on a white page."""
FINE = 2
"""Pixels per CSS pixel."""
MAX_COVERED = 0.4
"""Largest share of a picture covered by dots; dots are made smaller, so that their density is visible."""
CELL_PX = 8
"""Pixels along each side of a cell of a map, so that its edges are sharp in programs that smooth pictures."""


def shade(shares: ArrayLike) -> Bytes:
    """Colours for numbers from 0 to 1: uint8 (..., 3)."""
    anchors = np.array([_rgb(colour) for colour in VIRIDIS], float)
    offsets = np.clip(np.asarray(shares, float), 0, 1) * (len(anchors) - 1)
    channels = [np.interp(offsets, np.arange(len(anchors)), anchors[:, k]) for k in range(3)]
    return np.asarray(np.rint(np.stack(channels, axis=-1)), np.uint8)


def hex_of(colour: Bytes) -> str:
    """A colour as ``#rrggbb``."""
    return f"#{bytes(colour.tolist()).hex()}"


def cells_png(shares: Floats, *, cell_px: int = CELL_PX) -> str:
    """A map of numbers from 0 to 1, shape (ny, nx), rows from the top down; NaN: transparent."""
    known = np.isfinite(shares)
    picture = np.concatenate([shade(np.where(known, shares, 0.0)), np.where(known, 255, 0).astype(np.uint8)[..., None]], axis=-1)
    return png(picture.repeat(cell_px, axis=0).repeat(cell_px, axis=1))


def dots_png(x: Floats, y: Floats, width: float, height: float, size: float, colour: str) -> str:
    """A picture of square dots; positions, width and height in CSS pixels, from the upper left corner."""
    shape = (max(1, round(FINE * height)), max(1, round(FINE * width)))
    side = round(min(FINE * size, max(1.0, (MAX_COVERED * shape[0] * shape[1] / len(x)) ** 0.5)))
    rows, columns = np.floor(FINE * y - side / 2).astype(int), np.floor(FINE * x - side / 2).astype(int)
    covered = np.zeros(shape, bool)
    for down in range(side):
        for across in range(side):
            i, j = rows + down, columns + across
            inside = (i >= 0) & (i < shape[0]) & (j >= 0) & (j < shape[1])
            covered[i[inside], j[inside]] = True
    picture = np.zeros((*shape, 4), np.uint8)
    picture[..., :3] = _rgb(COLOURS.get(colour, colour))
    picture[..., 3] = 255 * covered
    return png(picture)


def png(picture: Bytes) -> str:
    """A lossless data URL of uint8 (ny, nx), (ny, nx, 3) or (ny, nx, 4)."""
    return _address(picture, "png", optimize=False)


def jpeg(picture: Bytes, *, longest: int | None = None, quality: int = 75) -> str:
    """A data URL of uint8 (ny, nx), reduced to at most ``longest`` pixels along the longer side."""
    return _address(picture, "jpeg", longest, quality=quality)


def _address(picture: Bytes, kind: str, longest: int | None = None, **options: int) -> str:
    from PIL import Image

    image = Image.fromarray(picture)
    if longest is not None:
        image.thumbnail((longest, longest))
    out = BytesIO()
    image.save(out, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
