"""Writing a result among particles."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError, naming
from cryodedup.formats import cryosparc
from cryodedup.formats.cryosparc_output import DatasetOutput, dataset_names
from cryodedup.formats.merged_output import MergedRows
from cryodedup.formats.output import Destination, Mask, Written, by_file
from cryodedup.formats.star_output import Moved, StarOutput, unjoined
from cryodedup.names import Spell, as_parameters, named
from cryodedup.output_directory import LISTING
from cryodedup.particles.forecast import Forecast
from cryodedup.particles.inputs.picks import Picks
from cryodedup.particles.inputs.reading import files_read
from cryodedup.particles.listing import write_listing
from cryodedup.particles.merged import merged_rows
from cryodedup.particles.result import ParticleOutcome
from cryodedup.particles.summary import SCHEMA, summarise
from cryodedup.progress import SILENT, Progress
from cryodedup.report.page import Origin
from cryodedup.system.resources import check_disk, disk_available
from cryodedup.text import count
from cryodedup.write.job import Delivered, Job, deliver


def write_particles(
    found: ParticleOutcome,
    directory: Path,
    *,
    overwrite: bool = False,
    report: bool = True,
    as_star: bool = False,
    command: str | None = None,
    spell: Spell = as_parameters,
    progress: Progress = SILENT,
) -> Delivered:
    """Writes the kept and the rejected particles, or all with new half-sets; ``duplicates.csv``, ``summary.json`` and the page.

    Parameters
    ----------
    overwrite
        Replace an earlier result.
    report
        Make ``report.html`` and its figures.
    as_star
        Write all kept particles as one STAR table, and as RELION's index of coordinate files, too.
    command
        The command line, for the page.
    spell
        How texts name parameters: as options, or as in Python.

    Raises
    ------
    InputError
        Files of these names are there and ``overwrite`` is not given, or one of them is an input; or there is too little space; or what
        ``as_star`` asks for is not possible.
    """
    merged = merged_rows(found) if as_star else None
    check_disk(Forecast.of(found.joined.picks).disk, directory, disk_available(directory))

    def origin(written: Written) -> Origin:
        made = Origin.now(command, directory, written.outputs, written.notes)
        return replace(made, all_kept=written.all_kept, merged=as_star, spell=spell)

    job = Job(
        schema=SCHEMA,
        inputs=frozenset(files_read(found.joined.picks, found.params)),
        spell=spell,
        rows=lambda staging: _rows(found, staging, directory, progress, merged),
        listings=lambda staging: _listing(found, staging),
        page=(lambda staging, written: _page(found, staging, origin(written))) if report else None,
        summary=lambda written: summarise(found, written),
    )
    return deliver(job, directory, overwrite)


def _rows(found: ParticleOutcome, staging: Path, directory: Path, progress: Progress, merged: tuple[MergedRows, Path] | None) -> Written:
    """Inputs of one format and equal columns go into one file."""
    sources, repaired = found.sources, found.repaired_halves
    outputs = [source.picks.output for source in sources]
    files = by_file(outputs)
    notes = unjoined(outputs, files)
    written_to = [""] * len(sources)
    for stem, members in files:
        for member in members:
            written_to[member] = f"{stem}_{'kept' if repaired is None else 'repaired'}{outputs[member].suffix}"
        if repaired is not None:
            halves = [repaired[sources[i].rows] for i in members]
            notes += write_repaired(staging, directory, stem, [sources[i].picks for i in members], halves, progress)
            continue
        first, *others = [(outputs[i], found.kept_of(i)) for i in members]
        notes += first[0].write(Destination(staging, directory), stem, first[1], others, progress)
        if others:
            joined = ", ".join(sources[i].picks.label for i in members)
            notes.append(f"{joined}: written together, since their columns are equal, as {stem}_kept{first[0].suffix}")
    if merged is None:
        all_kept = "" if len(files) < 2 or repaired is not None else _several(found, written_to)
    else:
        table, index = merged[0].write(Destination(staging, directory), merged[1])
        all_kept = (
            f"all {count(int(found.kept.sum()), 'kept particle')} are in {table}; for one Extract job of RELION, give {index} as its input"
            " coordinates"
        )
        notes += [
            f"{source.picks.label}: what was found of its bodies is in {name}, not in {table}"
            for source, name in zip(sources, written_to, strict=True)
            if isinstance(source.picks.output, StarOutput) and source.picks.output.bodies
        ]
    return Written(written_to=tuple(written_to), notes=tuple(notes), all_kept=all_kept)


def _several(found: ParticleOutcome, written_to: Sequence[str]) -> str:
    """Returns what to do with kept particles that are in several files: each alone lacks those of the others."""
    kept: dict[str, int] = {}
    for i, name in enumerate(written_to):
        kept[name] = kept.get(name, 0) + int(found.kept_of(i).sum())
    files = ", ".join(f"{name} ({number:,})" for name, number in kept.items())
    all_of = f"the {int(found.kept.sum()):,} kept particles are in {len(kept)} files, each once: {files}; continue with all of them"
    return (
        all_of
        if found.coordinates_a.shape[1] == 3
        else f"{all_of}, and use Join star files after extraction, or repeat with {named('as_star', True)}"
    )


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


WORDS = ("repaired", "unused")
MANY = 1 << 16
"""Records that are changed at a time."""


def write_repaired(
    staging: Path, final: Path, stem: str, picks: Sequence[Picks], halves: Sequence[NDArray[np.uint8]], progress: Progress
) -> list[str]:
    """Writes ``<stem>_repaired`` for inputs that are written together; returns notes for the user.

    Parameters
    ----------
    halves
        For each input uint8 (n,): the new half-sets, 1 or 2.
    """
    moved = [pick.halves.values != new for pick, new in zip(picks, halves, strict=True) if pick.halves is not None]
    field = next(pick.halves.field for pick in picks if pick.halves is not None)
    outputs = [_moving(pick, field, rows) for pick, rows in zip(picks, moved, strict=True)]
    first, *others = [(output, np.ones(len(pick), bool)) for output, pick in zip(outputs, picks, strict=True)]
    notes: list[str] = first[0].write(Destination(staging, final, WORDS), stem, first[1], others, progress)
    for path in staging.glob(f"{glob.escape(stem)}_{WORDS[1]}*"):
        path.unlink()
    datasets = [output for output in outputs if isinstance(output, DatasetOutput)]
    if datasets:
        _change_dataset(staging, stem, field, datasets, moved)
        fields = {name for output in datasets for part in output.parts for name in part.dtype.names or () if name.endswith("/split")} - {
            field
        }
        notes = [*notes, *(f"{stem}_{WORDS[0]}: {field} is repaired, {name} is unchanged" for name in sorted(fields))]
    return notes


def _moving(pick: Picks, field: str, rows: Mask) -> Any:
    """The output that writes an input with its new half-sets; a dataset is changed after it is written."""
    if isinstance(pick.output, StarOutput):
        return replace(pick.output, moved=Moved(field, rows))
    if not isinstance(pick.output, DatasetOutput):
        raise InputError(
            kind="unsupported", path=pick.label, found="a table", expected="files to write", remedy="put repaired_halves into the table"
        )
    return pick.output


def _change_dataset(staging: Path, stem: str, field: str, outputs: Sequence[DatasetOutput], moved: Sequence[Mask]) -> None:
    names = dataset_names(stem, len(outputs[0].parts), WORDS)
    for number, part in enumerate(outputs[0].parts):  # a passthrough may have the field, too
        if field not in part:
            continue
        if not isinstance(part, cryosparc.NpyFile):
            raise InputError(
                kind="unsupported", path=part.path, found="a dataset in CSDAT form", expected=f"NPY form for {named('half_sets', 'repair')}"
            )
        mask = np.concatenate([output.mask_of_part(number, one) for output, one in zip(outputs, moved, strict=True)])
        _change_records(staging / names[number][0], part.dtype, field, mask)


def _change_records(path: Path, dtype: np.dtype[Any], field: str, moved: Mask) -> None:
    """Moves records to the other half-set; by writing, since a full disk is an error then, and kills the process that wrote by memory."""
    with naming(path), path.open("r+b") as file:
        first = path.stat().st_size - len(moved) * dtype.itemsize
        for start in range(0, len(moved), MANY):
            part = moved[start : start + MANY]
            file.seek(first + start * dtype.itemsize)
            records = np.frombuffer(bytearray(file.read(len(part) * dtype.itemsize)), dtype)
            records[field][part] = 1 - records[field][part]
            file.seek(first + start * dtype.itemsize)
            file.write(records.tobytes())
