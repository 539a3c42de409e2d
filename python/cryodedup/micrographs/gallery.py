"""Small pictures of the pairs that people will want to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.reading import Record
from cryodedup.pictures import to_bytes

MOST_PAIRS = 200
FEW_PAIRS, WIDTHS = 60, (360, 200)
"""Pixels along the longer side of a picture, where there are few pairs, and where there are more."""


def doubtful_and_best(pairs: Sequence[Pair]) -> tuple[list[int], list[int]]:
    """Indices of the pairs to be shown, at most :data:`MOST_PAIRS`: the most doubtful, worst first, and the others, best first.

    Doubtful are those that other shots of their holes contradict, then the least significant ones.
    """
    order = sorted(range(len(pairs)), key=lambda k: (pairs[k].pattern != "contradicted", pairs[k].z))
    contradicted = sum(pair.pattern == "contradicted" for pair in pairs)
    number = min(MOST_PAIRS // 2, max(contradicted, (len(pairs) + 1) // 2))
    doubtful = order[:number]
    return doubtful, order[number:][::-1][: MOST_PAIRS - number]


def thumbnails(cache: Path, records: Mapping[int, Record], pairs: Sequence[Pair]) -> dict[int, NDArray[np.uint8]]:
    """Pictures of the micrographs of these pairs by their indices: uint8 (ny, nx), rows from the top down."""
    wanted = sorted({i for pair in pairs for i in (pair.first, pair.second)})
    width = WIDTHS[len(pairs) > FEW_PAIRS]
    return {i: _thumbnail(cache, records[i], width) for i in wanted}


def _thumbnail(cache: Path, record: Record, longest: int) -> NDArray[np.uint8]:
    start, width, height = record[:3]
    pixels = np.fromfile(cache, "<i2", count=width * height, offset=start).reshape(height, width)
    step = max(1, -(-max(width, height) // longest))
    rows, columns = height // step, width // step
    return to_bytes(pixels[: rows * step, : columns * step].reshape(rows, step, columns, step).mean(axis=(1, 3))[::-1])
