"""One writer for every job: rows, listings, page, summary; a directory is replaced whole or not at all."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryodedup.formats.output import Written
from cryodedup.names import Spell
from cryodedup.output_directory import names_of_outputs, staged, top_level
from cryodedup.summary_file import with_texts, write_summary


@dataclass(frozen=True)
class Delivered:
    """Holds what is in the directory: the paths, the summary; and what went wrong with the page, which stops nothing."""

    paths: list[Path]
    summary: dict[str, Any]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Job:
    """Holds what is particular to a job.

    ``rows`` and ``listings`` write into the staged directory, ``page`` makes the page of what is in it, or is None. ``spell``: how texts
    name parameters.
    """

    schema: str
    inputs: frozenset[Path]
    rows: Callable[[Path], Written]
    listings: Callable[[Path], None]
    page: Callable[[Path, Written], tuple[str, ...]] | None
    summary: Callable[[Written], dict[str, Any]]
    spell: Spell
    leaving: re.Pattern[str] | None = None


def deliver(job: Job, directory: Path, overwrite: bool) -> Delivered:
    """Stages a job's files, and puts them in place."""
    started = time.perf_counter()
    warnings: tuple[str, ...] = ()
    with staged(directory, overwrite, job.inputs, job.schema, leaving=job.leaving) as staging:
        written = job.rows(staging)
        job.listings(staging)
        written = replace(written, outputs=tuple(names_of_outputs(staging)))
        if job.page is not None:
            warnings = job.page(staging, written)
        summary = with_texts(job.summary(replace(written, times_s={"writing": time.perf_counter() - started})), job.spell)
        write_summary(staging, summary)
        names = top_level(names_of_outputs(staging))
    return Delivered([directory / name for name in names], summary, warnings)
