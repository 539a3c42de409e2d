"""The pairs that are shown as small pictures, the most doubtful and the best: as they were reduced, and as they were compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.measuring import Pair

MAX_PAIRS = 80
SIDE_PX = 400
"""Maximum number of pixels along the longer side of a picture: what was compared has about 384 x 256 pixels."""
REACH = 12
"""The correlation is shown at shifts of up to this many view pixels around that of the pair."""


@dataclass(frozen=True)
class Views:
    """Holds what was compared: whitened pictures by index, uint8 (ny, nx), rows from the top down; and correlations by pair.

    A correlation is float64 (2 REACH + 1, same), the shift of the pair in the middle, x to the right and y upwards.
    """

    pictures: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    peaks: dict[tuple[int, int], NDArray[np.float64]] = field(default_factory=dict)


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
    shown = _shown(pairs)
    wanted = sorted({i for k in shown for i in (pairs[k].first, pairs[k].second)})
    made = _core.thumbnails([records[i] for i in wanted], max_side_px=SIDE_PX, threads=threads)
    return dict(zip(wanted, made, strict=True))


def views(session: _core.Session, pairs: Sequence[Pair], found: _core.Decisions, rows: NDArray[np.intp], threads: int) -> Views:
    """Returns what was compared of the pairs of a class that may be shown; ``rows``: of the pairs, in what was found."""
    shown = _shown(pairs)
    number_of = {
        int(number): index for k in shown for number, index in zip(found.pairs[rows[k]], (pairs[k].first, pairs[k].second), strict=True)
    }
    made = session.thumbnails(list(number_of), max_side_px=SIDE_PX, threads=threads)
    maps = session.peak_maps(found, rows[shown].tolist(), reach=REACH, threads=threads)
    return Views(
        dict(zip(number_of.values(), made, strict=True)),
        {(pairs[k].first, pairs[k].second): peak for k, peak in zip(shown, maps, strict=True)},
    )


def together(parts: Sequence[Views]) -> Views:
    """Those of several classes as one."""
    return Views(
        {i: picture for part in parts for i, picture in part.pictures.items()},
        {pair: peak for part in parts for pair, peak in part.peaks.items()},
    )


def _shown(pairs: Sequence[Pair]) -> list[int]:
    doubtful, best = doubtful_and_best(pairs)
    return [*doubtful, *best]
