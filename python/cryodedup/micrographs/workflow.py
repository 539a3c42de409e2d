"""The whole job, in stages that each return a value: open, read, find the versions, compare, conclude."""

from __future__ import annotations

import time
from os import PathLike

from cryodedup.micrographs.compare import compare
from cryodedup.micrographs.concluding import outcome_of
from cryodedup.micrographs.headers import Inputs, open_micrographs
from cryodedup.micrographs.prepared import cache_at, read_all
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.micrographs.unique import unique_ones
from cryodedup.params import MicrographParams, checked
from cryodedup.progress import SILENT, Progress
from cryodedup.system.staging import staging_directory


def find_duplicates(
    micrographs: Inputs,
    params: MicrographParams | None = None,
    *,
    cache: str | PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
) -> MicrographOutcome:
    """Finds micrographs that show the same hole; see :func:`cryodedup.find_duplicate_micrographs`."""
    params = checked(params, MicrographParams)
    started = time.perf_counter()
    opened = open_micrographs(micrographs, params, progress)
    with cache_at(cache) as cache_file, staging_directory(cache_file.path.parent) as scratch:
        prepared = read_all(opened, params, cache_file, resume, progress)
        read = time.perf_counter()
        unique = unique_ones(opened, prepared.records, params)
        compared = [compare(of_class, params, scratch, progress) for of_class in unique.compared]
        times_s = {"reading": read - started, "comparing": time.perf_counter() - read}
        return outcome_of(opened, prepared, unique, compared, params, scratch, times_s, progress)
