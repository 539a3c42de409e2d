"""The particles of the micrographs in the table of a page, each of which opens: as few bytes as a drawing needs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup.particles.inputs.picks import Floats
from cryodedup.particles.result import ParticleOutcome
from cryodedup.report.figure import shortened, without_directories
from cryodedup.report.figures.example_panels import PAINTS
from cryodedup.report.figures.examples import extents, image_of, pixel_size_a
from cryodedup.report.raster import jpeg

STEPS = 4095
"""Steps of a coordinate across the frame, 12 bits: with 900 pixels on the page, a quarter of a pixel each."""
PARTICLES_SHARE = 0.5
"""Share of the room for particles; images have the rest."""
PER_PARTICLE, PER_MICROGRAPH = 4 / 3 * 4, 40
"""Bytes of a particle, with its input, and of the frame of a micrograph."""
SIDE_PX, QUALITY = 512, 50
MAX_IMAGES, MAX_READ_PX = 30, 200_000_000
"""Limits of the time: how many images are looked for, and pixels of those that are read."""


def drawings(result: ParticleOutcome, order: Sequence[int], names: Sequence[str], room: int) -> dict[str, Any] | None:
    """Returns what the page's script draws of the first micrographs of a table, as many as fit; None if their unit is not the same.

    Parameters
    ----------
    order, names
        Numbers and names of the micrographs of the table.
    room
        Bytes that this may have.
    """
    in_angstrom = result.centres.in_angstrom
    if not in_angstrom and any(size.known for size in result.centres.sizes):
        return None
    counts = np.bincount(result.micrograph_of, minlength=result.n_micrographs)[list(order)]
    sizes = np.cumsum(PER_PARTICLE * counts + PER_MICROGRAPH)
    number = int(np.searchsorted(sizes, PARTICLES_SHARE * room, "right"))
    rows = _rows(result, order[:number])
    starts = np.concatenate([[0], np.cumsum(counts[:number])[:-1]]).astype(np.int64)[:number]
    images = _images(result, names[:number], rows[starts], room - (int(sizes[number - 1]) if number else 0))
    frames, positions = _placed(result.coordinates_a[rows, :2], counts[:number], _frames(result, rows, starts, images))
    distinct, frame_of = np.unique(frames, axis=0, return_inverse=True)
    source_of = np.searchsorted([source.start for source in result.sources], rows, "right") - 1
    inputs = shortened(without_directories([source.picks.label for source in result.sources]))
    return {
        "unit": "Å" if in_angstrom else "px",
        "inputs": [[f"{k + 1}: {name}", PAINTS[min(k, len(PAINTS) - 1)]] for k, name in enumerate(inputs)][:255],
        "frames": distinct.tolist(),
        "frame_of": frame_of.tolist(),
        "places": positions,
        "sources": _text(np.minimum(source_of, 254)) if len(inputs) > 1 else "",
        "images": images,
    }


def _rows(result: ParticleOutcome, order: Sequence[int]) -> NDArray[np.int64]:
    """The particles of some micrographs, one after the other, of each those that stay first."""
    rank = np.full(result.n_micrographs, -1)
    rank[list(order)] = np.arange(len(order))
    is_rejected = np.zeros(len(result.kept), bool)
    is_rejected[result.rejected] = True
    rows = np.flatnonzero(rank[result.micrograph_of] >= 0)
    return np.asarray(rows[np.lexsort((is_rejected[rows], rank[result.micrograph_of[rows]]))])


def _images(result: ParticleOutcome, names: Sequence[str], first: NDArray[np.int64], room: int) -> list[tuple[str, float, float]]:
    """The images of the first micrographs, as many as there is room for: address (empty: there is none), width and height."""
    table = result.params.micrographs
    found: list[tuple[str, float, float]] = []
    read = 0
    for name, row in zip(names[: MAX_IMAGES if table else 0], first.tolist(), strict=False):
        image = image_of(name, Path(str(table)), SIDE_PX)
        if image.pixels is None or image.size_px is None or (pixel_a := pixel_size_a(result, row)) is None:
            found.append(("", 0.0, 0.0))
            continue
        address = jpeg(np.ascontiguousarray(image.pixels[::-1]), quality=QUALITY)
        room, read = room - len(address), read + image.size_px[0] * image.size_px[1]
        if room < 0:
            break
        found.append((address, image.size_px[0] * pixel_a, image.size_px[1] * pixel_a))
        if read > MAX_READ_PX:
            break
    return found


def _frames(
    result: ParticleOutcome, rows: NDArray[np.int64], starts: NDArray[np.int64], images: Sequence[tuple[str, float, float]]
) -> Floats:
    """Left, right, bottom and top of each micrograph, float64 (m, 4): of its particles, and of its image."""
    if not len(starts):
        return np.zeros((0, 4))
    points = result.coordinates_a[rows, :2]
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    frames = extents(result, rows[starts], low, high)
    for k, (address, width, height) in enumerate(images):
        if address:
            frames[k] = min(0.0, low[k, 0]), max(width, high[k, 0]), min(0.0, low[k, 1]), max(height, high[k, 1])
    return frames


def _placed(points: Floats, counts: NDArray[np.int64], frames: Floats) -> tuple[Floats, str]:
    """The frames rounded outwards to thousandths of their sides, and the points as 12 bits of x and 12 of y each."""
    sides = np.maximum(frames[:, [1, 3]] - frames[:, [0, 2]], 1e-9)
    unit = 10.0 ** np.floor(np.log10(sides.max(axis=1, initial=1e-9)) - 3)[:, None]
    frames = np.where([False, True, False, True], np.ceil(frames / unit), np.floor(frames / unit)) * unit
    low, sides = frames[:, [0, 2]], np.maximum(frames[:, [1, 3]] - frames[:, [0, 2]], 1e-9)
    steps = np.rint(STEPS * (points - np.repeat(low, counts, axis=0)) / np.repeat(sides, counts, axis=0))
    x, y = np.clip(steps, 0, STEPS).astype(np.uint32).T
    both = x << 12 | y
    return np.round(frames, 6), _text(np.stack([both >> 16, both >> 8, both], axis=1) & 255)


def _text(values: NDArray[Any]) -> str:
    return b64encode(values.astype(np.uint8).tobytes()).decode()
