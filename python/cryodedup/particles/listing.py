"""``duplicates.csv``: a line for each rejected particle, with the kept particle that it duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.particles.inputs.picks import Floats, Picks
from cryodedup.text import cell_of


def write_listing(
    path: Path,
    picks: Sequence[Picks],
    rejected: NDArray[np.int64],
    duplicate_of: NDArray[np.int64] | None,
    distances_a: Floats,
    coordinates_a: Floats,
    *,
    threads: int,
) -> None:
    """Writes the table; ``duplicate_of`` is None if all duplicates are removed, and a distance of NaN gives an empty cell."""
    starts = np.cumsum([0, *map(len, picks)])
    _core.write_listing(
        path,
        rejected.view(np.uint64),  # no copy: 16 bytes for each that is rejected
        np.zeros(0, np.uint64) if duplicate_of is None else duplicate_of.view(np.uint64),
        distances_a,
        coordinates_a,
        own_micrographs(picks),
        [cell_of(micrograph.name) for pick in picks for micrograph in pick.micrographs],
        scores_of(picks) if any(pick.scores for pick in picks) else None,
        uids_of(picks) if any(pick.uids is not None for pick in picks) else None,
        [(cell_of(pick.label), int(start), pick.uids is not None) for pick, start in zip(picks, starts, strict=False)],
        threads=threads,
    )


def own_micrographs(picks: Sequence[Picks]) -> NDArray[np.uint32]:
    """For each particle the index of its micrograph, as its own input names it, among those of all inputs one after the other."""
    firsts = np.cumsum([0, *(len(pick.micrographs) for pick in picks)])
    return _joined(
        [pick.micrograph_of + np.uint32(first) if first else pick.micrograph_of for pick, first in zip(picks, firsts, strict=False)]
    )


def scores_of(picks: Sequence[Picks]) -> Floats:
    """The score of each particle; NaN where it has none."""
    return _joined([np.full(len(pick), np.nan) if pick.scores is None else pick.scores.values for pick in picks])


def uids_of(picks: Sequence[Picks]) -> NDArray[np.uint64]:
    """The uid of each particle; 0 where it has none."""
    return _joined([np.zeros(len(pick), np.uint64) if pick.uids is None else pick.uids for pick in picks])


def _joined(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)
