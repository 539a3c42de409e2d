"""The whole search for duplicate particles: read, join, compute centres, select, analyse."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError
from cryodedup.frozen import frozen
from cryodedup.names import named
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.analyse import analyse
from cryodedup.particles.centres import Centres, centres_of
from cryodedup.particles.criterion import criterion_of
from cryodedup.particles.forecast import Forecast
from cryodedup.particles.inputs.consistency import mirrored, shrunk, two_pixel_sizes
from cryodedup.particles.inputs.frames import other_frames
from cryodedup.particles.inputs.picks import Picks
from cryodedup.particles.inputs.reading import is_table, read_inputs, read_table, refuse_what_is_no_table
from cryodedup.particles.joining import Joined, join
from cryodedup.particles.result import ParticleOutcome
from cryodedup.particles.select import Selection, select
from cryodedup.progress import SILENT, Progress
from cryodedup.system.resources import check_disk, disk_available


def find_duplicates(particles: Any, params: ParticleParams, progress: Progress = SILENT, *, output: Path | None = None) -> ParticleOutcome:
    """Finds the duplicates among the particles of files or tables; see :func:`cryodedup.deduplicate_particles`.

    ``output``: where the result will be written; if there is too little space for it, this is refused before the search.
    """
    started = time.perf_counter()
    progress.stage("reading")
    several, paths = _inputs(particles)
    picks = read_inputs(paths, params, progress) if paths else _read_tables(several, params)
    if output is not None:
        check_disk(Forecast.of(picks).disk, output, disk_available(output))
    read = time.perf_counter()
    progress.stage("searching")
    joined = join(picks, params)
    del picks
    centres = centres_of(joined, params)
    criterion = criterion_of(params)
    before = [*joined.warnings, *centres.warnings, *option_warnings(joined, params), *_position_warnings(joined, centres, params)]
    compared = criterion.columns(joined.picks, centres)
    joined = joined.without_values()
    selection = select(joined, centres, compared, criterion, params, progress)
    analysis = analyse(joined, centres, selection, criterion, params)
    outcome = ParticleOutcome(
        params=params,
        criterion=criterion,
        joined=replace(joined, picks=[pick.without_readers() for pick in joined.picks]),
        centres=centres,
        selection=selection,
        analysis=analysis,
        warnings=(*before, *expansion_warnings(joined, selection, params), *selection.warnings, *analysis.warnings),
        notes=(*joined.matched.notes, *(note for pick in joined.picks for note in pick.notes)),
        times_s={"reading": read - started, "searching": time.perf_counter() - read},
    )
    return frozen(outcome)


def _read_tables(tables: Sequence[Any], params: ParticleParams) -> list[Picks]:
    if len({id(table) for table in tables}) < len(tables):
        raise InputError(
            kind="ambiguous", found="one table twice among the inputs", expected="once: every particle of it would be a duplicate"
        )
    labels = ["table"] if len(tables) == 1 else [f"table {i + 1}" for i in range(len(tables))]
    return [read_table(table, params, label) for table, label in zip(tables, labels, strict=True)]


def _position_warnings(joined: Joined, centres: Centres, params: ParticleParams) -> list[str]:
    """Warns if positions suggest that inputs count larger pixels than others, y from different edges, or are in other frames."""
    if not centres.in_angstrom:
        return []
    coordinates_a, micrograph_of, source_of = centres.coordinates_a, joined.micrograph_of, joined.source_of
    columns = (coordinates_a, micrograph_of, source_of)
    return two_pixel_sizes(joined.picks, centres.sizes, coordinates_a, micrograph_of, params.threads) + (
        shrunk(joined.picks, *columns, joined.shared_micrographs)
        or mirrored(joined.picks, centres.sizes, *columns, params)
        or other_frames(joined.picks, *columns, joined.shared_micrographs, params.used_separation_a)
    )


def _inputs(particles: Any) -> tuple[list[Any], list[Path]]:
    """The inputs as tables or as paths; the other list is empty."""
    several = list(particles) if isinstance(particles, list | tuple | Iterator) else [particles]
    paths = [Path(item) for item in several if isinstance(item, str | PathLike)]
    if not several or 0 < len(paths) < len(several):
        raise InputError(
            kind="parameter", found=f"{len(paths)} paths among {len(several)} inputs", expected="one or more, all paths or all tables"
        )
    unnameable = next((path for path in paths if "\0" in str(path)), None)
    if unnameable is not None:
        raise InputError(kind="parameter", path=repr(str(unnameable)), found="a name that no file can have")
    seen: set[str] = set()
    for path in paths:
        if (real := os.path.realpath(path)) in seen:
            raise InputError(
                kind="ambiguous", path=path, found="twice among the inputs", expected="once: every particle of it would be a duplicate"
            )
        seen.add(real)
    for item in several if not paths else []:
        refuse_what_is_no_table(item)
    if not paths and not all(is_table(item) for item in several):
        kinds = ", ".join(sorted({type(item).__name__ for item in several}))
        raise InputError(
            kind="parameter", found=f"inputs of type {kinds}", expected="paths, or tables as starfile or cryosparc-tools return them"
        )
    return ([], paths) if paths else (several, [])


NUMBERED = "Dynamo table", "STOPGAP motive list"


def option_warnings(joined: Joined, params: ParticleParams) -> list[str]:
    """In the order of their weight."""
    return [*params.unused, *_unused_tables(joined, params), *_deletes_agreement(joined, params)]


def _unused_tables(joined: Joined, params: ParticleParams) -> list[str]:
    """Options that no input has a use for."""
    warnings = []
    for pick, rows in zip(joined.picks, joined.rows_of, strict=True):
        if joined.table is not None and rows and pick.counted_in != "micrograph" and not any(row is not None for row in rows):
            warnings.append(
                f"{pick.label}: {joined.table.path} names none of its tomograms, such as {pick.micrographs[0].name}: not used for them"
            )
    if params.tomograms is not None and not any(pick.format in NUMBERED for pick in joined.picks):
        warnings.append(f"{named('tomograms')} not used: no input numbers its tomograms")
    if params.flip_y and all(pick.heights_px is None for pick in joined.picks):
        warnings.append(f"{named('flip_y')} not used: it is for CryoSPARC's inputs, and there are none")
    if params.start_end and not any(pick.half_vectors for pick in joined.picks):
        warnings.append(f"{named('start_end')} not used: it is for RELION's coordinate files, of picks, and there are none")
    return warnings


def _deletes_agreement(joined: Joined, params: ParticleParams) -> list[str]:
    if not params.remove_entirely or len(joined.picks) < 2:
        return []
    return [
        f"{named('remove_entirely')} with {len(joined.picks)} inputs: particles that two of them found are rejected in both, so all"
        " particles on"
        " which inputs agree are lost; to keep one of each, leave the option out"
    ]


MAX_COMPARED = 1000
"""Pairs whose images are compared, spread over all."""


def expansion_warnings(joined: Joined, selection: Selection, params: ParticleParams) -> list[str]:
    """Warns if particles are rejected for another copy of themselves; copies that were shifted to subunits are not near each other."""
    if params.undo_symmetry_expansion:
        return []
    rejected, of, source_of = selection.rejected, selection.duplicate_of, joined.source_of
    paired = (rejected != of) & (source_of[rejected] == source_of[of])
    rejected, of = rejected[paired], of[paired]
    warnings = []
    for i, pick in enumerate(joined.picks):
        mine = source_of[rejected] == i
        start = int(joined.bounds[i])
        known_by, copies, of_about = _copies(pick, rejected[mine] - start, of[mine] - start)
        if copies:
            number = f"{of_about}{copies:,} of {int(mine.sum()):,}"
            warnings.append(
                f"{pick.label}: {number} rejected particles are copies of the particle that they duplicate (equal {known_by}), as after a"
                " symmetry expansion: the orientations of these copies are lost; deduplicate before the expansion, or use"
                f" {named('undo_symmetry_expansion')} to keep one copy of each"
            )
    return warnings


def _copies(pick: Picks, rejected: NDArray[np.int64], of: NDArray[np.int64]) -> tuple[str, int, str]:
    """Returns what copies have in common, how many of the rejected are such, and "about " if they are counted in a part of all."""
    if pick.expanded_from is not None:
        origins = pick.expanded_from
        return "sym_expand/src_uid", int(((origins[rejected] == origins[of]) & (origins[of] != 0)).sum()), ""
    if pick.images is None or not len(rejected):
        return "", 0, ""
    step = -(-len(rejected) // MAX_COMPARED)
    images, others = (pick.images(rows[::step].tolist()) for rows in (rejected, of))
    same = sum(image == other for image, other in zip(images, others, strict=True))
    return "rlnImageName", same if step == 1 else round(same / len(images) * len(rejected)), "" if step == 1 else "about "
