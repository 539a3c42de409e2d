"""The search among the micrographs of one class, and what it found, as arrays that other processes can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.measuring import Class
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress


def window_distances(params: MicrographParams, n: int) -> list[int]:
    """Distances, in images, of a window search among ``n`` images, from ``images_per_move`` to ``scan_range``.

    Those of the screener, from ``images_per_move`` in steps of ``images_per_hole``; and the multiples of ``images_per_hole``, at which
    shots of equal number lie.
    """
    move, hole, reach = params.window
    return [d for d in range(move, min(reach, n - 1) + 1) if (d - move) % hole == 0 or d % hole == 0]


def window_pairs(ordinals: Sequence[int], params: MicrographParams) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The pairs (n, 2) of a window search, and those (m, 2) that are also compared mirrored; ``ordinals``: in the order of exposure."""
    return _core.Search.window_pairs(ordinals, window_distances(params, ordinals[-1] + 1 if len(ordinals) else 0))


Shard = tuple[int, int]
"""The number of a block, from 0, and how many there are."""
WHOLE: Shard = (0, 1)
MAX_IN_MEMORY = 12_000
"""The views of more micrographs than these (about 0.15 MB each) are kept in a file."""
_KINDS = ("candidates", "mirrored", "random")
_COLUMNS = ("at", "pairs", "shift_reduced_px", "turn_deg", "z", "z_next", "z_at_zero")


def plan_search(of_class: Class, params: MicrographParams, directory: Path | None, progress: Progress = SILENT) -> _core.Search:
    """Makes the views of a class, and decides how its pairs are screened; ``directory``: for the views, if memory is not to hold them."""
    progress.stage("loading", len(of_class.records))
    session = _core.Session.load(
        list(of_class.records),
        band=params.search_band,
        maps=of_class.seen_as,
        directory=directory,
        threads=params.threads,
        progress=progress.advance_to,
    )
    if params.by_window:
        return _of_window(session, of_class.ordinals, params)
    progress.stage("choosing the screening")
    return _core.Search.plan(session, sensitivity=params.sensitivity, threads=params.threads, **_limits(params))


def save_search(search: _core.Search, folder: Path, base: Path) -> None:
    """Completes the folder of a class, in which its views are already; ``base``: the folder of the stages."""
    search.session.save(folder, base)
    search.save(folder)


def open_search(folder: Path, ordinals: list[int], params: MicrographParams, *, compares: bool) -> _core.Search:
    """A search that was saved; ``ordinals``: of its micrographs in the order of exposure; ``compares``: whether it goes on."""
    session = _core.Session.open(folder, folder.parent.parent)
    if params.by_window:
        return _of_window(session, ordinals, params)
    return _core.Search.open(session, folder, compares=compares, **_limits(params))


def _of_window(session: _core.Session, ordinals: Sequence[int], params: MicrographParams) -> _core.Search:
    pairs, decoys = window_pairs(ordinals, params)
    return _core.Search.window(session, pairs, decoys, max_shift_reduced_px=params.max_shift_reduced_px, turns_deg=params.turns_deg)


def _limits(params: MicrographParams) -> dict[str, Any]:
    return {
        "max_shift_reduced_px": params.max_shift_reduced_px,
        "turns_deg": params.turns_deg,
        "screened_turns_deg": params.screened_turns_deg,
    }


def arrays_of(block: _core.Block) -> dict[str, NDArray[Any]]:
    """Arrays by name, to be saved."""
    return {f"{kind}.{name}": getattr(getattr(block, kind), name) for kind in _KINDS for name in _COLUMNS}


def block_of(arrays: Mapping[str, NDArray[Any]]) -> _core.Block:
    """From arrays that were saved."""
    of_kind = (SimpleNamespace(**{name: np.ascontiguousarray(arrays[f"{kind}.{name}"]) for name in _COLUMNS}) for kind in _KINDS)
    return _core.Block(*of_kind)
