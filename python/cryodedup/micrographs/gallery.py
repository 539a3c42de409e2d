"""The pairs that are shown as small pictures: the most doubtful and the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.compare import Pair

MAX_PAIRS = 200
FEW_PAIRS, SIDES_PX = 60, (360, 200)
"""Up to this many pairs are shown as larger pictures; pixels along the longer side of larger and smaller pictures."""


def doubtful_and_best(pairs: Sequence[Pair]) -> tuple[list[int], list[int]]:
    """Indices of the pairs to be shown, at most :data:`MAX_PAIRS`: the most doubtful, worst first, and the others, best first.

    The most doubtful are those that other shots of their holes contradict, then the least significant ones.
    """
    order = sorted(range(len(pairs)), key=lambda k: (pairs[k].shot_agreement != "contradicted", pairs[k].z))
    contradicted = sum(pair.shot_agreement == "contradicted" for pair in pairs)
    number = min(MAX_PAIRS // 2, max(contradicted, (len(pairs) + 1) // 2))
    doubtful = order[:number]
    return doubtful, order[number:][::-1][: MAX_PAIRS - number]


def thumbnails(records: Mapping[int, _core.Record], pairs: Sequence[Pair], threads: int) -> dict[int, NDArray[np.uint8]]:
    """Pictures of the micrographs of the pairs to be shown, by their indices: uint8 (ny, nx), rows from the top down."""
    shown = [pairs[k] for kind in doubtful_and_best(pairs) for k in kind]
    wanted = sorted({i for pair in shown for i in (pair.first, pair.second)})
    side_px = SIDES_PX[len(shown) > FEW_PAIRS]
    made = _core.thumbnails([records[i] for i in wanted], max_side_px=side_px, threads=threads)
    return dict(zip(wanted, made, strict=True))
