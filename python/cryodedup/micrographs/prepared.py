"""The micrographs after reading: reduced, flattened, and in a cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

from cryodedup import _core
from cryodedup.micrographs.cache_file import CACHE, locked, move_other_file
from cryodedup.micrographs.classes import comparable
from cryodedup.micrographs.forecast import MIN_SAID_S, Forecast, forecast
from cryodedup.micrographs.headers import Opened
from cryodedup.micrographs.reading import Reading
from cryodedup.params import MicrographParams
from cryodedup.progress import Progress


@dataclass(frozen=True)
class CacheFile:
    """Where the prepared micrographs are kept; ``moved``: where another file was moved to that stood there."""

    path: Path
    moved: Path | None


@contextmanager
def cache_at(cache: str | PathLike[str] | None) -> Iterator[CacheFile]:
    """The cache at a path, for this run alone; None: a temporary one."""
    if cache is None:
        with TemporaryDirectory(prefix="cryodedup-") as directory, cache_at(Path(directory) / CACHE) as cache_file:
            yield cache_file
        return
    path = Path(cache)
    with locked(path):
        yield CacheFile(path, move_other_file(path))


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


def read_all(opened: Opened, params: MicrographParams, cache_file: CacheFile, resume: bool, progress: Progress) -> Prepared:
    """Reads the micrographs in the order of exposure, so that the result does not depend on that of the input."""
    progress.stage("reading", sum(image.bytes for image in opened.images.values()))
    readable = [i for i in opened.order if i in opened.images]
    reading = Reading(readable, opened.images, params, cache_file.path, resume, progress)
    sizes = [len(members) for members in comparable(readable, opened.images, opened.pixel_sizes_a)]
    expected = forecast(reading, sizes, params)
    if expected is not None and expected.seconds >= MIN_SAID_S:
        progress.note(str(expected))
    reading.read(reading.waiting)
    warnings = []
    if cache_file.moved:
        warnings = [f"{cache_file.path}: found a file of another kind, or a cache damaged at its start; it was moved to {cache_file.moved}"]
    elif reading.damaged:
        warnings = [f"{cache_file.path}: the cache was damaged; the lost part was read again"]
    unreadable = dict(sorted({**opened.unreadable, **reading.unreadable}.items()))
    return Prepared(reading.records, unreadable, dict(sorted(reading.masked.items())), expected, warnings)
