"""How long a run will take, and how much memory: from the first frames, before the others are read."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cryodedup import _core
from cryodedup.micrographs.blocks import MAX_IN_MEMORY, window_pairs
from cryodedup.micrographs.reading import Reading
from cryodedup.micrographs.self_test import MAX_PAIRS
from cryodedup.params import MicrographParams
from cryodedup.system.resources import processors

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


MIN_SAID_S = 60.0
"""Shorter runs begin without a word."""
_MIN_MEASURED_S = 15.0
"""Nothing is measured for runs that are surely shorter."""
_FEW_FRAMES = 32
"""Reading is not timed if there are fewer frames."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Holds what a run is expected to take; ``frame_s``: to read one frame; ``pairs``: that are compared, in whatever way."""

    reading_s: float
    comparing_s: float
    memory_gb: float
    frame_s: float
    pairs: int

    @property
    def seconds(self) -> float:
        """Seconds of the whole run."""
        return self.reading_s + self.comparing_s

    def __str__(self) -> str:
        reading = f"reading {_duration(self.reading_s)} ({self.frame_s:.2g} s per micrograph), " if self.reading_s else ""
        return (
            f"about {_duration(self.seconds)} and {self.memory_gb:.1f} GB of memory: {reading}comparing {_duration(self.comparing_s)}"
            f" ({_number(self.pairs)} pairs)"
        )

    def summary(self) -> dict[str, float]:
        """Returns what ``summary.json`` holds, to be compared with ``times_s`` and ``peak_memory_gb``."""
        return {"reading_s": round(self.reading_s, 1), "comparing_s": round(self.comparing_s, 1), "memory_gb": round(self.memory_gb, 2)}


def forecast(reading: Reading, sizes: Sequence[int], params: MicrographParams) -> Forecast | None:
    """Reads some frames, spread over the session, times them and a few comparisons, and multiplies; ``sizes``: of the classes.

    None for runs that are surely short. The frames are not read again. How the core will screen depends on the signal, which is taken from
    the same frames; larger groups than two, in very bright sessions, take less.
    """
    threads = params.threads or processors()
    sample = reading.spread(2 * threads) if len(reading.waiting) >= _FEW_FRAMES else []
    read_bytes, started = reading.bytes_of(sample), time.perf_counter()
    reading.read(sample)
    a_byte = (time.perf_counter() - started) / max(1, read_bytes)
    reading_s = a_byte * reading.bytes_of(reading.waiting)
    work = sum(comparing_work(n, params, signal=0.0) for n in sizes)
    if reading_s + work * PAIR_CORE_S[0] / threads < _MIN_MEASURED_S:
        return None
    measured = _measure(list(reading.records.values()), params, threads)
    if measured is None:
        return None
    pair_s, signal = measured
    return Forecast(
        reading_s=reading_s,
        comparing_s=pair_s * sum(comparing_work(n, params, signal=signal) for n in sizes),
        memory_gb=memory_gb(max(sizes), threads),
        frame_s=reading_s / max(1, len(reading.waiting)),
        pairs=sum(pairs_of(n, params) for n in sizes),
    )


def _measure(records: Sequence[_core.Record], params: MicrographParams, threads: int) -> tuple[float, float] | None:
    """From a few of the session's own frames: what a close comparison takes on this machine with all threads at work, and their signal."""
    alike = [record for record in records if (record.width, record.height) == (records[0].width, records[0].height)][:4]
    if len(alike) < 2:
        return None
    session = _core.Session.load(alike, band=params.search_band, threads=params.threads)
    every = np.array([(i, j) for i in range(len(alike)) for j in range(i + 1, len(alike))], np.uint32)

    def seconds(count: int) -> float:
        started = time.perf_counter()
        session.find(np.resize(every, (count, 2)), None, mirrored=False, threads=params.threads)
        return time.perf_counter() - started

    # The difference of two sizes: what is done once a call does not count.
    few, more = 8 * threads, 40 * threads
    short, long = seconds(few), seconds(more)
    rings = session.signal.shape[1]
    return max((long - short) / (more - few), 0.5 * long / more), float(session.signal[:, 2 : rings // 4].mean())


def peak_memory_gb() -> float:
    """The highest memory use of this process."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 30 if sys.platform == "darwin" else 1 << 20)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _number(count: int) -> str:
    for factor, word in ((1_000_000_000, "billion"), (1_000_000, "million")):
        if count >= factor:
            return f"{count / factor:.3g} {word}"
    return f"{count:,}"
