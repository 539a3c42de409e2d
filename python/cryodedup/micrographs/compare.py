"""The duplicates among the micrographs of one class: which of the pairs that were compared, and their measurements."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.blocks import MAX_IN_MEMORY, WHOLE, Block, Planned, compare_block, in_orientation, plan_class
from cryodedup.micrographs.flips import AS_STORED, mirrored_copies, number_of_orientations, of_decoy, orientations_of
from cryodedup.micrographs.gallery import Views, views
from cryodedup.micrographs.judging import Found, Judged, judge_pairs, without_patterns
from cryodedup.micrographs.measuring import Class, Pair, measure, pair_of, window_ccc
from cryodedup.micrographs.places import Floats, of_one_area
from cryodedup.micrographs.significance import Null, q_values
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress

__all__ = ["DOUBTFUL_Z", "Class", "Compared", "Pair", "compare", "conclude"]

DOUBTFUL_Z = 4.0
"""Pairs of lower significance have no ccc: no sensible threshold would accept them."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Micrographs of one size and what was found among them.

    Attributes
    ----------
    members
        Their indices in the input, in the order of exposure.
    size
        Columns and rows, reduced.
    signal
        Of each the share of power that is not shot noise.
    coarse_noise
        Of the median one, the share of power at 0.04 to 0.07 cycles a reduced pixel that is as high as that at the finest detail.
    null, observed
        Significances of unrelated pairs, and standard ones of all pairs compared closely.
    tested, decoys_tested
        How many pairs there were, and how many with mirrored micrographs.
    window_ccc
        Of a window search (i, j, ccc) of every pair.
    of_pattern
        Pairs of indices in the input that match at exactly zero shift, as frames that share a pattern do, and are not counted.
    mirrored
        Pairs of indices in the input that match only if one is changed, with the change (``flipped in y``...), the best first. Only some of
        all pairs are compared so.
    show_one_place
        Whether all micrographs, or all of many that follow each other, seem to show one place.
    views
        Pictures of what was compared, for the page.
    """

    members: list[int]
    size: tuple[int, int]
    pairs: list[Pair]
    signal: Floats
    coarse_noise: float
    null: Null
    observed: Floats
    tested: int
    decoys_tested: int
    screening: dict[str, Any]
    window_ccc: list[tuple[int, int, float]] = field(default_factory=list)
    of_pattern: list[tuple[int, int]] = field(default_factory=list)
    mirrored: list[tuple[int, int, str]] = field(default_factory=list)
    show_one_place: bool = False
    views: Views = field(default_factory=Views)


def compare(
    of_class: Class, params: MicrographParams, scratch: Path, progress: Progress = SILENT, *, share_patterns: bool = True
) -> Compared:
    """Finds the duplicates among micrographs of one class.

    ``scratch``: a directory for the views, if memory is not to hold them; ``share_patterns``: whether pairs that match without a shift may
    share a pattern of the camera.
    """
    directory = scratch if len(of_class.members) > MAX_IN_MEMORY else None
    planned = plan_class(of_class, params, directory, progress)
    block = compare_block(planned, of_class.places, WHOLE, params, progress)
    if params.search_flips:
        turned = orientations_of(*_in_all_orientations(of_class, planned, block, params, progress))
        if turned:
            members = range(len(of_class.members))
            of_class = replace(of_class, orientations=[turned.get(k, AS_STORED) for k in members])
            planned = plan_class(of_class, params, directory, progress)
            block = compare_block(planned, of_class.places, WHOLE, params, progress)
    return conclude(of_class, planned, block, params, progress, share_patterns=share_patterns)


def _in_all_orientations(
    of_class: Class, planned: Planned, block: Block, params: MicrographParams, progress: Progress
) -> tuple[list[tuple[int, Found]], int]:
    """What is found in each orientation, by its number, and how many pairs were tested in all."""
    null, size, screening = _null(of_class, planned, block, params), of_class.size, _screening_of(planned, block)
    others = range(1, number_of_orientations(size))
    found = [(k, Found.of(in_orientation(planned, of_class.places, k, params, progress), null, size)) for k in others]
    return [(0, Found.of(block.candidates.best, null, size)), *found], screening.tested * (1 + len(others))


def _null(of_class: Class, planned: Planned, block: Block, params: MicrographParams) -> Null:
    """What unrelated pairs reach."""
    several = (block.candidates if planned.are_all_compared(of_class.places, params) else block.random).best
    cohort = several.peaks.of(~of_one_area(several.places.pairs, planned.session.areas()))
    has_pattern = len(planned.session) < _core.MIN_FOR_FIXED_PATTERN
    return Null.fit(block.mirrored.best.peaks, _screening_of(planned, block).decoys_tested, cohort, has_pattern=has_pattern)


def conclude(
    of_class: Class,
    planned: Planned,
    block: Block,
    params: MicrographParams,
    progress: Progress = SILENT,
    *,
    share_patterns: bool = True,
) -> Compared:
    """Decides which of the pairs that were compared are duplicates; ``block``: all of them."""
    size, session, candidates = of_class.size, planned.session, block.candidates.best
    screening, null = _screening_of(planned, block), _null(of_class, planned, block, params)
    found = Found.of(candidates, null, size, session.areas())
    if params.threshold is None:
        decided = judge_pairs(session, found, screening.tested, null, of_class.acquisitions, size, params)
        # Of few micrographs the pattern is not taken out, and the null distribution allows for it.
        decided = without_patterns(decided, session, params.threads) if share_patterns and not null.has_pattern else decided
    else:
        near = found.z >= (-np.inf if params.search == "window" else DOUBTFUL_Z)
        decided = Judged(found.places, found.z, q_values(found.chance, screening.tested), near, [""] * len(near))
    measured = measure(session, decided, params, progress)
    chosen = np.flatnonzero(decided.accepted)
    if params.threshold is not None:
        chosen = chosen[measured.ccc[measured.row[chosen]] >= params.threshold]
    pairs = [pair_of(decided, int(at), measured, of_class, params) for at in chosen]
    few = {}
    if null.has_pattern and len(candidates.peaks.at_zero):
        few = {"median_z_at_zero_shift": round(float(np.median(candidates.peaks.at_zero)), 2)}
    copies = mirrored_copies(block.mirrored.best, screening.decoys_tested, null, size)
    return Compared(
        members=list(of_class.members),
        size=size,
        pairs=pairs,
        signal=_signal(session.signal, 0.011, 0.2),
        coarse_noise=1 - float(np.median(_signal(session.signal, 0.04, 0.07))),
        null=null,
        observed=null.by_overlap.standard(found.z, found.places.overlap(size)),
        tested=screening.tested,
        decoys_tested=screening.decoys_tested,
        screening=screening.summary | few,
        window_ccc=window_ccc(candidates.places.pairs, measured, of_class) if params.search == "window" else [],
        of_pattern=[(of_class.members[i], of_class.members[j]) for i, j in decided.places.pairs[decided.of_pattern].tolist()],
        mirrored=[(of_class.members[i], of_class.members[j], of_decoy(i)) for i, j in block.mirrored.best.places.pairs[copies].tolist()],
        show_one_place=session.show_one_place(),
        views=views(session, pairs, decided.places.of(chosen), params.threads),
    )


@dataclass(frozen=True)
class _Screening:
    """How many pairs there were, and with mirrored micrographs; and what is reported of how they were chosen."""

    tested: int
    decoys_tested: int
    summary: dict[str, Any]


def _screening_of(planned: Planned, block: Block) -> _Screening:
    candidates, mirrored, found = len(block.candidates.at), len(block.mirrored.at), planned.screening
    if found is None:
        return _Screening(candidates, mirrored, {"pairs": candidates, "search": "window"})
    summary = {
        "pairs": found.pairs,
        "search": "all",
        "grid": list(found.grid) if found.grid else None,
        "group_size": found.pool_size,
        "least_z": round(found.min_z, 2) if found.grid else None,
        "least_z_of_group": round(found.min_z_of_pool, 2) if found.pool_size > 1 else None,
        "predicted_recall_at_overlap_0.3": {str(size): round(recall, 3) for size, recall in found.predicted_recall},
        "looked_at_closely": candidates,
    }
    return _Screening(found.pairs, found.decoy_pairs, summary)


def _signal(shares: NDArray[np.float32], low: float, high: float) -> Floats:
    """Mean share of signal over the rings between two radii, in cycles a reduced pixel."""
    ring = np.sqrt(0.5) / shares.shape[1]
    return np.asarray(shares[:, round(low / ring) : int(high / ring)].mean(axis=1), np.float64)
