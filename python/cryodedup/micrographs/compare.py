"""The duplicates among the micrographs of one class: which of the pairs that were compared, and their measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.micrographs.acquisition import Acquisition
from cryodedup.micrographs.blocks import MAX_IN_MEMORY, WHOLE, plan_search
from cryodedup.micrographs.flips import AS_STORED, ORIENTATIONS, number_of_orientations, of_decoy
from cryodedup.micrographs.gallery import Views, views
from cryodedup.micrographs.measuring import Class, Pair, pair_of
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress

__all__ = ["Class", "Compared", "Criteria", "Pair", "compare", "conclude"]


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
    show_one_area
        Whether all micrographs, or all of many that follow each other, seem to show one place.
    views
        Pictures of what was compared, for the page.
    """

    members: list[int]
    size: tuple[int, int]
    pairs: list[Pair]
    signal: NDArray[np.float64]
    coarse_noise: float
    null: _core.Null
    observed: NDArray[np.float64]
    tested: int
    decoys_tested: int
    screening: dict[str, Any]
    window_ccc: list[tuple[int, int, float]] = field(default_factory=list)
    of_pattern: list[tuple[int, int]] = field(default_factory=list)
    mirrored: list[tuple[int, int, str]] = field(default_factory=list)
    show_one_area: bool = False
    views: Views = field(default_factory=Views)


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """By what pairs are judged.

    Attributes
    ----------
    holes, shots
        uint32 (n,): numbers of the hole and shot of each micrograph, in the order of exposure; 0: unknown.
    threshold
        Decide by ``ccc``, not by ``fdr``.
    first
        Only pairs whose second micrograph is this one or a later one are accepted.
    measure_all
        Whether all pairs are measured, not only the accepted ones.
    share_patterns
        Whether pairs that match without a shift may share a pattern of the camera.
    """

    holes: NDArray[np.uint32]
    shots: NDArray[np.uint32]
    fdr: float
    threshold: float | None
    band: tuple[float, float, float]
    first: int = 0
    measure_all: bool = False
    share_patterns: bool = True

    @classmethod
    def of(cls, acquisitions: Sequence[Acquisition], params: MicrographParams, *, first: int = 0, share_patterns: bool = True) -> Criteria:
        """As the parameters have it."""
        return cls(
            holes=_numbered([one.hole for one in acquisitions]),
            shots=_numbered([one.shot for one in acquisitions]),
            fdr=params.fdr,
            threshold=params.threshold,
            band=params.band,
            first=first,
            measure_all=params.by_window,
            share_patterns=share_patterns,
        )


def compare(
    of_class: Class, params: MicrographParams, scratch: Path, progress: Progress = SILENT, *, share_patterns: bool = True
) -> Compared:
    """Finds the duplicates among micrographs of one class.

    ``scratch``: a directory for the views, if memory is not to hold them; ``share_patterns``: whether pairs that match without a shift may
    share a pattern of the camera.
    """
    directory = scratch if len(of_class.members) > MAX_IN_MEMORY else None
    search = plan_search(of_class, params, directory, progress)
    block = search.compare(shard=WHOLE, threads=params.threads, progress=progress)
    if params.search_flips:
        number = number_of_orientations(of_class.size)
        stored = dict(search.orientations(block, orientations=number, threads=params.threads, progress=progress))
        if stored:
            members = range(len(of_class.members))
            of_class = replace(of_class, orientations=[ORIENTATIONS[stored[k]] if k in stored else AS_STORED for k in members])
            search = plan_search(of_class, params, directory, progress)
            block = search.compare(shard=WHOLE, threads=params.threads, progress=progress)
    return conclude(of_class, search, block, params, progress, share_patterns=share_patterns)


def conclude(
    of_class: Class,
    search: _core.Search,
    block: _core.Block,
    params: MicrographParams,
    progress: Progress = SILENT,
    *,
    share_patterns: bool = True,
) -> Compared:
    """Decides which of the pairs that were compared are duplicates; ``block``: all of them."""
    session, members = search.session, list(of_class.members)
    criteria = Criteria.of(of_class.acquisitions, params, share_patterns=share_patterns)
    found = search.conclude(block, asked=criteria, threads=params.threads, progress=progress)
    accepted = np.flatnonzero(found.accepted)
    pairs = [pair_of(found, int(row), of_class, params) for row in accepted]
    tested, decoys_tested = search.tested(block)
    return Compared(
        members=members,
        size=of_class.size,
        pairs=pairs,
        signal=_signal(session.signal, 0.011, 0.2),
        coarse_noise=1 - float(np.median(_signal(session.signal, 0.04, 0.07))),
        null=found.null,
        observed=found.observed,
        tested=tested,
        decoys_tested=decoys_tested,
        screening=_screening(search, block, found.null),
        window_ccc=_window_ccc(found, members, len(block)) if params.by_window else [],
        of_pattern=[(members[i], members[j]) for i, j in found.of_pattern.tolist()],
        mirrored=[(members[i], members[j], of_decoy(i)) for i, j in found.mirrored.tolist()],
        show_one_area=session.show_one_area(),
        views=views(session, pairs, found, accepted, params.threads),
    )


def _screening(search: _core.Search, block: _core.Block, null: _core.Null) -> dict[str, Any]:
    """Returns what is reported of how pairs were chosen."""
    how = search.screening
    at_zero = block.candidates.z_at_zero
    few = {"median_z_at_zero_shift": round(float(np.median(at_zero)), 2)} if null.has_pattern and len(at_zero) else {}
    if how is None:
        return {"pairs": len(block), "search": "window"} | few
    return {
        "pairs": how.pairs,
        "search": "all",
        "grid": list(how.grid) if how.grid else None,
        "group_size": how.pool_size,
        "least_z": round(how.min_z, 2) if how.grid else None,
        "least_z_of_group": round(how.min_z_of_pool, 2) if how.pool_size > 1 else None,
        "predicted_recall_at_overlap_0.3": {str(size): round(recall, 3) for size, recall in how.predicted_recall},
        "looked_at_closely": len(block),
    } | few


def _window_ccc(found: _core.Decisions, members: Sequence[int], compared: int) -> list[tuple[int, int, float]]:
    """The two micrographs of every pair of a window search, by their indices in the input, and the ccc."""
    pairs, ccc = found.pairs[:compared].tolist(), found.ccc[:compared].tolist()
    return [(members[i], members[j], value) for (i, j), value in zip(pairs, ccc, strict=True)]


def _signal(shares: NDArray[np.float32], low: float, high: float) -> NDArray[np.float64]:
    """Mean share of signal over the rings between two radii, in cycles a reduced pixel."""
    ring = np.sqrt(0.5) / shares.shape[1]
    return np.asarray(shares[:, round(low / ring) : int(high / ring)].mean(axis=1), np.float64)


def _numbered(names: Sequence[str]) -> NDArray[np.uint32]:
    """Numbers names; equal names get equal numbers."""
    numbers = {"": 0}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.uint32)
