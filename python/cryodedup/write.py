"""One writer for every job: rows, listings, page, summary; a directory is replaced whole or not at all."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cryodedup.apply.result import SCHEMA as OF_APPLIED
from cryodedup.apply.result import AppliedChoice
from cryodedup.formats.output import Place, Written, plan
from cryodedup.formats.star_output import unjoined
from cryodedup.micrographs import summary as micrograph_summary
from cryodedup.micrographs.listings import write_listings as write_micrograph_listings
from cryodedup.micrographs.result import MicrographOutcome
from cryodedup.output_directory import LISTING, names_of_outputs, staged, top_level, write_summary
from cryodedup.particles import summary as particle_summary
from cryodedup.particles.inputs.reading import files_read
from cryodedup.particles.listing import write_listing
from cryodedup.particles.repair import write_repaired
from cryodedup.particles.result import ParticleOutcome
from cryodedup.progress import SILENT, Progress

MICROGRAPHS_CHOSEN = re.compile(r"micrographs_(kept|removed)(_passthrough\d*)?\.\w+")
"""What is withheld, where a limit is passed."""
MICROGRAPH_OUTPUTS = re.compile(rf"{MICROGRAPHS_CHOSEN.pattern}|(duplicates|overlaps|versions|ccc)\.csv|summary\.json")


@dataclass(frozen=True)
class Delivered:
    """What is in the directory: the paths, the summary; and what went wrong with the page, which stops nothing."""

    paths: list[Path]
    summary: dict[str, Any]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What is particular to a job.

    ``rows`` and ``listings`` write into the staged directory, ``page`` makes the page of what is in it, or is None.
    """

    schema: str
    inputs: frozenset[Path]
    rows: Callable[[Path], Written]
    listings: Callable[[Path], None]
    page: Callable[[Path, Written], tuple[str, ...]] | None
    summary: Callable[[Written], dict[str, Any]]
    leaving: re.Pattern[str] | None = None


def write_particles(
    found: ParticleOutcome,
    directory: Path,
    *,
    overwrite: bool = False,
    report: bool = True,
    command: str | None = None,
    progress: Progress = SILENT,
) -> Delivered:
    """Writes the kept and the rejected particles, or all with new half-sets; ``duplicates.csv``, ``summary.json`` and the page.

    Parameters
    ----------
    overwrite
        Replace an earlier result.
    report
        Make ``report.html`` and its figures.
    command
        The command line, for the page.

    Raises
    ------
    InputError
        Files of these names are there and ``overwrite`` is not given, or one of them is an input.
    """
    job = _Job(
        schema=particle_summary.SCHEMA,
        inputs=frozenset(files_read(found.joined.picks, found.params)),
        rows=lambda staging: _particle_rows(found, staging, directory, progress),
        listings=lambda staging: _particle_listing(found, staging),
        page=(lambda staging, written: _particle_page(found, staging, written, command)) if report else None,
        summary=lambda written: particle_summary.summarise(found, written),
    )
    return _write(job, directory, overwrite)


def write_micrographs(
    found: MicrographOutcome, directory: Path, *, overwrite: bool = False, report: bool = True, command: str | None = None
) -> Delivered:
    """Writes the listings, the kept and the removed micrographs, ``summary.json`` and the page; see :func:`write_particles`.

    Of a result that is withheld the kept and the removed micrographs are not written, and those of an earlier run go.
    """
    exposures = found.exposures
    job = _Job(
        schema=micrograph_summary.SCHEMA,
        inputs=frozenset(Path(os.path.realpath(path)) for path in (*exposures.paths, *exposures.output.files)),
        rows=lambda staging: _micrograph_rows(found, staging, directory),
        listings=lambda staging: write_micrograph_listings(found, staging),
        page=(lambda staging, written: _micrograph_page(found, staging, command)) if report else None,
        summary=lambda written: micrograph_summary.summarise(found, written),
        leaving=MICROGRAPHS_CHOSEN if found.withheld else None,
    )
    return _write(job, directory, overwrite)


def write_applied(applied: AppliedChoice, directory: Path, *, overwrite: bool = False, progress: Progress = SILENT) -> Delivered:
    """Writes the kept and the rejected rows of each file, and ``summary.json``; see :func:`write_particles`.

    Raises
    ------
    InputError
        The directory is that of the earlier result.
    """
    applied.refuse_own(directory)
    job = _Job(
        schema=OF_APPLIED,
        inputs=applied.inputs,
        rows=lambda staging: applied.write_rows(staging, directory, progress),
        listings=lambda staging: None,
        page=None,
        summary=lambda written: applied.summary(written.outputs),
    )
    return _write(job, directory, overwrite)


def _write(job: _Job, directory: Path, overwrite: bool) -> Delivered:
    started = time.perf_counter()
    warnings: tuple[str, ...] = ()
    with staged(directory, overwrite, job.inputs, job.schema, leaving=job.leaving) as staging:
        written = job.rows(staging)
        job.listings(staging)
        written = replace(written, outputs=tuple(names_of_outputs(staging)))
        if job.page is not None:
            warnings = job.page(staging, written)
        summary = job.summary(replace(written, times_s={"writing": time.perf_counter() - started}))
        write_summary(staging, summary)
        names = top_level(names_of_outputs(staging))
    return Delivered([directory / name for name in names], summary, warnings)


def _particle_rows(found: ParticleOutcome, staging: Path, directory: Path, progress: Progress) -> Written:
    """Inputs of one format and equal columns go into one file."""
    sources, repaired = found.sources, found.repaired_halves
    outputs = [source.picks.output for source in sources]
    planned = plan(outputs)
    notes = unjoined(outputs, planned)
    written_to = [""] * len(sources)
    for stem, members in planned:
        for member in members:
            written_to[member] = f"{stem}_{'kept' if repaired is None else 'repaired'}{outputs[member].suffix}"
        if repaired is not None:
            halves = [repaired[sources[i].rows] for i in members]
            notes += write_repaired(staging, directory, stem, [sources[i].picks for i in members], halves, progress)
            continue
        first, *others = [(outputs[i], found.kept_of(i)) for i in members]
        notes += first[0].write(Place(staging, directory), stem, first[1], others, progress)
        if others:
            joined = ", ".join(sources[i].picks.label for i in members)
            notes.append(f"{joined}: of equal columns, written together as {stem}_kept{first[0].suffix}")
    return Written(written_to=tuple(written_to), notes=tuple(notes))


def _particle_listing(found: ParticleOutcome, staging: Path) -> None:
    known = found.centres.in_angstrom
    write_listing(
        staging / LISTING,
        found.joined.picks,
        found.rejected,
        None if found.params.remove_entirely else found.duplicate_of,
        found.distances_a if known else np.full(len(found.rejected), np.nan),
        found.coordinates_a if known else np.full_like(found.coordinates_a, np.nan),
        threads=found.params.threads,
    )


def _micrograph_rows(found: MicrographOutcome, staging: Path, directory: Path) -> Written:
    if found.withheld:
        return Written()
    found.exposures.output.write(Place(staging, directory, ("kept", "removed")), "micrographs", found.kept, [], SILENT)
    removed = "".join(f"{name}\n" for name, kept in zip(found.names, found.kept, strict=True) if not kept)
    (staging / "micrographs_removed.txt").write_text(removed, "utf-8", "surrogateescape")
    return Written()


def _particle_page(found: ParticleOutcome, staging: Path, written: Written, command: str | None) -> tuple[str, ...]:
    from cryodedup.report import add_page
    from cryodedup.report.particles import write_page

    return add_page(lambda: write_page(found, written, command, staging), staging)


def _micrograph_page(found: MicrographOutcome, staging: Path, command: str | None) -> tuple[str, ...]:
    from cryodedup.report import add_page
    from cryodedup.report.micrographs import write_page

    return add_page(lambda: write_page(found, command, staging), staging)
