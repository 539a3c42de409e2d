"""Writing a result among particles."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryodedup.formats.output import Place, Written, plan
from cryodedup.formats.star_output import unjoined
from cryodedup.output_directory import LISTING
from cryodedup.particles.forecast import Forecast
from cryodedup.particles.inputs.reading import files_read
from cryodedup.particles.listing import write_listing
from cryodedup.particles.repair import write_repaired
from cryodedup.particles.result import ParticleOutcome
from cryodedup.particles.summary import SCHEMA, summarise
from cryodedup.progress import SILENT, Progress
from cryodedup.report.origin import Origin
from cryodedup.resources import check_disk, disk_available
from cryodedup.write.job import Delivered, Job, deliver


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
        Files of these names are there and ``overwrite`` is not given, or one of them is an input; or there is too little space.
    """
    check_disk(Forecast.of(found.joined.picks).disk, directory, disk_available(directory))
    job = Job(
        schema=SCHEMA,
        inputs=frozenset(files_read(found.joined.picks, found.params)),
        rows=lambda staging: _rows(found, staging, directory, progress),
        listings=lambda staging: _listing(found, staging),
        page=(lambda staging, written: _page(found, staging, Origin.now(command, directory, written.outputs, written.notes)))
        if report
        else None,
        summary=lambda written: summarise(found, written),
    )
    return deliver(job, directory, overwrite)


def _rows(found: ParticleOutcome, staging: Path, directory: Path, progress: Progress) -> Written:
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


def _listing(found: ParticleOutcome, staging: Path) -> None:
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


def _page(found: ParticleOutcome, staging: Path, origin: Origin) -> tuple[str, ...]:
    from cryodedup.report.page import write_page
    from cryodedup.report.particle_page import particle_page

    return tuple(write_page(lambda: particle_page(found, origin), staging))
