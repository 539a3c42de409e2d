"""What comparing micrographs costs, in time and memory: one model, for the forecast of a run and for what is asked of a cluster."""

from __future__ import annotations

from cryodedup import _core
from cryodedup.micrographs.blocks import MAX_IN_MEMORY, window_pairs
from cryodedup.micrographs.self_test import MAX_PAIRS
from cryodedup.params import MicrographParams

PAIR_CORE_S = (4e-4, 7e-4)
"""What a refinement takes on a usual and on a slow machine: 0.35 to 0.7 ms on those at hand."""

# Work, in refinements of a pair of views, which have about as many pixels whatever the size of the frames is.
LOADING = 9.0
"""A frame: fixed pattern and views (4.6 to 6 ms where a refinement takes 0.66)."""
PLANTING = 16_000.0
"""Planted pairs and samples, by which the way of screening is chosen (11 s where a refinement takes 0.66 ms)."""
_SCREENING = 0.026
"""A pair at 128 x 96 (9.2 us where a refinement takes 0.35 ms)."""
_CONFIRMING = 0.1
"""The exact correlation of a pair at its shift."""
_FINER = 4.0
"""Screening at twice the resolution."""
_DIM, _BRIGHT = 0.085, 0.26
"""Mean shares of signal: below the first, sessions are screened at twice the resolution if they may be; above the second, in groups, which
leave few pairs to refine. (640 simulated frames at shares of 0.02, 0.03, 0.06 | 0.11, 0.18, 0.24 | 0.8.)"""

# Memory, in MB: of Python and its libraries; a thread; a micrograph with its views, and without, where these are in a file; one whose
# spectrum is in use, of which so many are.
_BASE_MB, _THREAD_MB, _FRAME_MB, _BARE_FRAME_MB, _SPECTRUM_MB, _SPECTRA = 150.0, 12.0, 0.21, 0.058, 0.79, 3 * 96


def comparing_work(n: int, params: MicrographParams, *, signal: float) -> float:
    """The work of comparing ``n`` micrographs of one class, in refinements of a pair; ``signal``: their mean share of it."""
    pairs, turns = pairs_of(n, params), len(params.turns_deg)
    cohort = min(_core.RANDOM_PAIRS, n * (n - 1) // 2)
    loading = LOADING * n + (2 * turns * MAX_PAIRS if params.self_test else 0)
    if params.by_window:
        return loading + pairs * (turns + _CONFIRMING) + turns * (len(window_pairs(range(n), params)[1]) + cohort)
    is_screened, may_be_finer, refined, decoys = _core.Search.extent(n, params.sensitivity)
    if not is_screened:
        return loading + turns * (refined + decoys)
    a_pair = _SCREENING * len(params.screened_turns_deg)
    if params.sensitivity == "fast" or (params.sensitivity == "auto" and signal > _BRIGHT):
        return loading + PLANTING + a_pair * (pairs / 2 + decoys) + turns * (refined * decoys / pairs + cohort)
    finer = may_be_finer and signal < _DIM
    screening = a_pair * (pairs + decoys) * (_FINER if finer else 1) + PLANTING * (2 if finer else 1)
    return loading + screening + turns * (refined * (1 + decoys / pairs) + cohort)


def pairs_of(n: int, params: MicrographParams) -> int:
    """The number of pairs that are compared, in whatever way."""
    return len(window_pairs(range(n), params)[0]) if params.by_window else n * (n - 1) // 2


def memory_gb(n: int, threads: int, *, in_file: bool | None = None) -> float:
    """The largest need of memory while ``n`` micrographs of one class are compared.

    ``in_file``: whether their views are in a file, as they always are in stages; None: as in one run.
    """
    frame_mb = _BARE_FRAME_MB if (n > MAX_IN_MEMORY if in_file is None else in_file) else _FRAME_MB
    return (_BASE_MB + _THREAD_MB * threads + frame_mb * n + _SPECTRUM_MB * min(n, _SPECTRA)) / 1024
