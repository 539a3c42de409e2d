"""From the pairs that were found to the result: what stays, pictures, warnings."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.frozen import frozen
from cryodedup.micrographs.classes import class_warnings
from cryodedup.micrographs.compare import Compared
from cryodedup.micrographs.decide import Decision, decide, withhold
from cryodedup.micrographs.forecast import peak_memory_gb
from cryodedup.micrographs.gallery import thumbnails, together
from cryodedup.micrographs.headers import Opened
from cryodedup.micrographs.prepared import Prepared
from cryodedup.micrographs.reading import masked_warning
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.self_test import self_test
from cryodedup.micrographs.session_warnings import warnings_of
from cryodedup.micrographs.unique import Unique
from cryodedup.micrographs.versions import Version, at_one_place, joined, not_versions, without_versions
from cryodedup.params import MicrographParams
from cryodedup.progress import Progress

_FLAT = 0.25
"""A frame with less than this share of the session's usual signal is called flat."""


def outcome_of(
    opened: Opened,
    prepared: Prepared,
    unique: Unique,
    compared: list[Compared],
    params: MicrographParams,
    scratch: Path,
    times_s: Mapping[str, float],
    progress: Progress,
) -> MicrographOutcome:
    """Decides what stays, runs the self-test if it was asked for, and puts the result together; ``scratch``: an empty directory."""
    decided = _decide(opened, unique, compared, params)
    pictures = thumbnails(prepared.records, decided.decision.pairs, params.threads)
    started = time.perf_counter()
    of_self = (compared, prepared.records, unique.at, opened.exposures, unique.tilts, params, progress)
    tested = self_test(scratch, *of_self) if params.self_test else None
    sizes = [(image.nx, image.ny) if (image := opened.images.get(i)) else None for i in range(len(opened.exposures))]
    outcome = MicrographOutcome(
        params=params,
        exposures=opened.exposures,
        order=opened.order,
        order_rule=opened.order_rule,
        pairs=decided.decision.pairs,
        groups=decided.decision.sets,
        kept=_with_versions(decided.decision.kept, decided.versions),
        versions=decided.versions,
        withheld=withhold(decided.decision, decided.exposures, params),
        compared=compared,
        tilts=unique.tilts,
        warnings=_warnings(opened, prepared, unique, compared, decided, params),
        unreadable=prepared.unreadable,
        masked=prepared.masked,
        flat=_flat(compared),
        sizes=sizes,
        pixel_sizes_a=[opened.pixel_sizes_a.get(i) for i in range(len(opened.exposures))],
        forecast=prepared.forecast,
        peak_memory_gb=peak_memory_gb(),
        thumbnails=pictures,
        views=together([found.views for found in compared]),
        self_test=tested,
        times_s={**times_s, **({"self-test": time.perf_counter() - started} if params.self_test else {})},
    )
    return frozen(outcome)


@dataclass(frozen=True)
class Decided:
    """Holds what stays of the exposures; ``versions``: with those that only the comparison showed; ``exposures``: how many there are."""

    decision: Decision
    versions: list[Version]
    exposures: int


def _decide(opened: Opened, unique: Unique, compared: Sequence[Compared], params: MicrographParams) -> Decided:
    pairs = [pair for found in compared for pair in found.pairs]
    versions = joined(unique.versions, at_one_place(pairs, opened.exposures.paths, opened.rank, params.bin))
    among = set(without_versions(opened.order, versions))
    of_exposures = [pair for pair in pairs if {pair.first, pair.second} <= among]
    return Decided(decide(of_exposures, opened.rank, params.least_overlap), versions, len(among))


def _with_versions(kept: NDArray[np.bool_], versions: Sequence[Version]) -> NDArray[np.bool_]:
    """Returns what stays of the micrographs, all versions removed."""
    stays = kept.copy()
    stays[[one.version for one in versions]] = False
    return stays


def _flat(compared: Iterable[Compared]) -> list[int]:
    """Micrographs with hardly any signal: no specimen, or almost no beam."""
    flat: list[int] = []
    for found in compared:
        usual = float(np.median(found.signal))
        flat += [found.members[i] for i in np.flatnonzero(found.signal < _FLAT * usual)]
    return sorted(flat)


def _warnings(
    opened: Opened, prepared: Prepared, unique: Unique, compared: Sequence[Compared], decided: Decided, params: MicrographParams
) -> list[str]:
    names = opened.exposures.names
    return [
        *prepared.warnings,
        *class_warnings(names, [of_class.members for of_class in unique.classes], opened.images, opened.pixel_sizes_a),
        *masked_warning(names, prepared.masked, opened.images),
        *unique.tilts.warnings(),
        *warnings_of(opened.exposures, params, compared, decided.decision, prepared.unreadable),
        *not_versions(names, unique.refused),
    ]
