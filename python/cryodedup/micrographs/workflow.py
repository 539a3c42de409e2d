"""The whole job, in stages that each return a value: open, read, find the versions, compare, decide."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.images import Image
from cryodedup.micrographs import acquisition
from cryodedup.micrographs.cache_file import CACHE, locked, move_other_file
from cryodedup.micrographs.cautions import warnings_of
from cryodedup.micrographs.classes import PixelSizes, class_warnings, comparable, pixel_sizes_a
from cryodedup.micrographs.compare import Class, Compared, compare
from cryodedup.micrographs.decide import Decision, decide, ranking, withhold
from cryodedup.micrographs.exposures import Exposures, open_exposures
from cryodedup.micrographs.forecast import MIN_SAID_S, Forecast, forecast, peak_memory_gb
from cryodedup.micrographs.gallery import thumbnails
from cryodedup.micrographs.headers import open_headers
from cryodedup.micrographs.reading import Reading, masked_warning
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.self_test import self_test
from cryodedup.micrographs.tilt import Tilts, tilts_of
from cryodedup.micrographs.versions import Version, at_one_place, find_versions, joined, not_versions, without_versions
from cryodedup.params import MicrographParams, checked
from cryodedup.progress import SILENT, Progress

_FLAT = 0.25
"""A frame with less than this share of the session's usual signal is called flat."""


def find_duplicates(
    micrographs: str | PathLike[str] | Sequence[str | PathLike[str]],
    params: MicrographParams | None = None,
    *,
    cache: str | PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
) -> MicrographOutcome:
    """Finds micrographs that show the same hole; see :func:`cryodedup.find_duplicate_micrographs`."""
    params = checked(params, MicrographParams)
    started = time.perf_counter()
    opened = _open(_paths(micrographs), params, progress)
    with _cache_at(cache) as place:
        prepared = _read(opened, params, place, resume, progress)
        read = time.perf_counter()
        unique = _unique(opened, prepared, place, params)
        compared = [compare(place.path, of_class, params, progress) for of_class in unique.classes if len(of_class.members) > 1]
        decided = _decide(opened, unique, compared, params)
        pictures = thumbnails(place.path, prepared.records, decided.decision.pairs, params.threads)
        done = time.perf_counter()
        of_self = (compared, prepared.records, unique.at, opened.exposures, unique.tilts, params, progress)
        tested = self_test(place.path, *of_self) if params.self_test else None
    times_s = {"reading": read - started, "comparing": done - read}
    sizes = [(image.nx, image.ny) if (image := opened.images.get(i)) else None for i in range(len(opened.exposures))]
    return MicrographOutcome(
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
        self_test=tested,
        times_s=times_s | ({"self-test": time.perf_counter() - done} if params.self_test else {}),
    )


def _paths(micrographs: object) -> list[Path]:
    alone = isinstance(micrographs, str | PathLike) or not isinstance(micrographs, Iterable)
    several: list[Any] = [micrographs] if alone else list(micrographs)  # type: ignore[call-overload]
    wrong = [item for item in several if not (isinstance(item, str | PathLike) and str(item))]
    if wrong:
        raise InputError(f"micrographs: found {wrong[0]!r}, expected a path or several")
    return [Path(item) for item in several]


@dataclass(frozen=True)
class Opened:
    """The micrographs of the input, in its order, before their pixels are read.

    Attributes
    ----------
    order, order_rule
        Indices in the order of exposure, and what that is taken from.
    rank
        Of each micrograph its place in the order of ``--keep``.
    images, unreadable
        By index the header of each readable image, and what is wrong with each other one.
    pixel_sizes_a
        Of each readable image, Å; None where it is not known.
    """

    exposures: Exposures
    order: list[int]
    order_rule: str
    rank: list[int]
    images: Mapping[int, Image]
    unreadable: Mapping[int, str]
    pixel_sizes_a: PixelSizes


def _open(paths: Sequence[Path], params: MicrographParams, progress: Progress) -> Opened:
    progress.stage("opening")
    exposures = open_exposures(paths, params.threads)
    if params.keep == "best-ctf" and exposures.ctf_a is None:
        raise InputError(f"{exposures.label}: found no rlnCtfMaxResolution or ctf_stats/ctf_fit_to_A, expected it for --keep best-ctf")
    order, rule = acquisition.sort(exposures.names, exposures.acquisitions, params.order)
    images, unreadable = open_headers(exposures, params.bin)
    rank = ranking(order, exposures.ctf_a if params.keep == "best-ctf" else None).tolist()
    return Opened(exposures, list(order), rule, rank, images, unreadable, pixel_sizes_a(exposures, images))


@dataclass(frozen=True)
class CachePlace:
    """Where the prepared micrographs are kept; ``moved``: where another file was moved to that stood there."""

    path: Path
    moved: Path | None


@contextmanager
def _cache_at(cache: str | PathLike[str] | None) -> Iterator[CachePlace]:
    if cache is None:
        with TemporaryDirectory(prefix="cryodedup-") as directory, _cache_at(Path(directory) / CACHE) as place:
            yield place
        return
    path = Path(cache)
    with locked(path):
        yield CachePlace(path, move_other_file(path))


@dataclass(frozen=True)
class Prepared:
    """The micrographs that were read.

    Attributes
    ----------
    records
        By index, of each micrograph that can be used its prepared image in the cache.
    unreadable
        By index why each other one cannot be used.
    masked
        By index how many pixels are NaN or infinite, of those used nevertheless.
    forecast
        What the run was expected to take.
    warnings
        About the cache.
    """

    records: Mapping[int, _core.Record]
    unreadable: dict[int, str]
    masked: dict[int, int]
    forecast: Forecast | None
    warnings: list[str]


def _read(opened: Opened, params: MicrographParams, place: CachePlace, resume: bool, progress: Progress) -> Prepared:
    """In the order of exposure: the result does not depend on that of the input."""
    progress.stage("reading", sum(image.bytes for image in opened.images.values()))
    readable = [i for i in opened.order if i in opened.images]
    reading = Reading(readable, opened.images, params, place.path, resume, progress)
    sizes = [len(members) for members in comparable(readable, opened.images, opened.pixel_sizes_a)]
    expected = forecast(reading, place.path, sizes, params)
    if expected is not None and expected.seconds >= MIN_SAID_S:
        progress.note(str(expected))
    reading.read(reading.waiting)
    warnings = []
    if place.moved:
        warnings = [f"{place.path}: found another file, or one damaged at its start; it was moved to {place.moved}"]
    elif reading.damaged:
        warnings = [f"{place.path}: the cache was damaged; the lost part was read again"]
    unreadable = dict(sorted({**opened.unreadable, **reading.unreadable}.items()))
    return Prepared(reading.records, unreadable, dict(sorted(reading.masked.items())), expected, warnings)


@dataclass(frozen=True)
class Unique:
    """One micrograph of each exposure.

    Attributes
    ----------
    versions, refused
        The others, and pairs that are no versions though their names say so.
    at
        By index the place in the order of exposure, in which a version has none of its own.
    classes
        What is compared with each other.
    """

    versions: list[Version]
    refused: list[tuple[int, int]]
    at: dict[int, int]
    classes: list[Class]
    tilts: Tilts


def _unique(opened: Opened, prepared: Prepared, place: CachePlace, params: MicrographParams) -> Unique:
    records, acquisitions = prepared.records, opened.exposures.acquisitions
    versions, refused = find_versions(opened.images, records, place.path, opened.rank)
    at = {i: k for k, i in enumerate(without_versions(opened.order, versions))}
    tilts = tilts_of(acquisitions, params.tilt_axis_deg)
    several = comparable((i for i in opened.order if i in at and i in records), opened.images, opened.pixel_sizes_a)
    classes = [
        Class(
            members=members,
            records=[records[i] for i in members],
            places=[at[i] for i in members],
            acquisitions=[acquisitions[i] for i in members],
            maps=tilts.of(members),
        )
        for members in several
    ]
    return Unique(versions, refused, at, classes, tilts)


@dataclass(frozen=True)
class Decided:
    """What stays of the exposures; ``versions``: with those that only the comparison showed; ``exposures``: how many there are."""

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
    """What stays of the micrographs, all versions removed."""
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
