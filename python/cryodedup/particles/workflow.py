"""The whole job: read, place, choose."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from cryodedup.errors import InputError
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.findings import analyse
from cryodedup.particles.analysis.half_sets import half_set_warnings
from cryodedup.particles.gathering import gather
from cryodedup.particles.inputs.picks import Picks
from cryodedup.particles.inputs.reading import is_table, read_inputs, read_table
from cryodedup.particles.result import ParticleResult, Source
from cryodedup.particles.selection import select

Say = Callable[[str], object]


def deduplicate_particles(
    particles: Any, params: ParticleParams | None = None, *, say: Say = lambda stage: None, progress: Callable[[int], object] | None = None
) -> ParticleResult:
    """Finds the duplicates among the particles of files or tables.

    Parameters
    ----------
    particles
        A path or several (``.star``, ``.cs``, ``.csg``, ``.box``, ``.cbox``, Topaz ``.txt``, RELION's index of coordinate files, folders
        of picks), or a table: what ``starfile.read`` or ``cryosparc.dataset.Dataset.load`` return, or several of these.
    params
        What counts as a duplicate and which one stays; see :class:`ParticleParams`.
    say
        Called with the name of each stage as it begins.
    progress
        Called about ten times a second with the bytes or particles done in the present stage.

    Returns
    -------
    :class:`ParticleResult`: masks, tables, summary; ``write(directory)`` writes what the command line writes.

    Raises
    ------
    InputError
        One line: which file, row or field, what was found, what was expected.

    Examples
    --------
    >>> import numpy as np
    >>> picks = np.zeros(3, [("uid", "u8"), ("location/micrograph_path", "S9"), ("location/micrograph_shape", "u4", 2),
    ...                      ("location/center_x_frac", "f4"), ("location/center_y_frac", "f4")])
    >>> picks["uid"], picks["location/micrograph_path"], picks["location/micrograph_shape"] = [1, 2, 3], b"a.mrc", 4000
    >>> picks["location/center_x_frac"] = [0.500, 0.501, 0.600]
    >>> result = deduplicate_particles(picks, ParticleParams(min_separation_a=20, pixel_size_a=1.0))
    >>> result.kept
    array([ True, False,  True])
    """
    params = params or ParticleParams()
    started = time.perf_counter()
    say("reading")
    tables, paths = _inputs(particles)
    picks = [read_table(table, params, label) for label, table in tables] if tables else read_inputs(paths, params, progress)
    read = time.perf_counter()
    say("searching")
    result = choose(picks, params, progress)
    result.tables = [table for _, table in tables] if isinstance(particles, list | tuple) or not tables else tables[0][1]
    result.times_s = {"reading": read - started, "searching": time.perf_counter() - read}
    return result


def _inputs(particles: Any) -> tuple[list[tuple[str, Any]], list[Path]]:
    """Tables with labels, or paths."""
    if isinstance(particles, Iterator):
        particles = list(particles)
    several = particles if isinstance(particles, list | tuple) else [particles]
    paths = [Path(item) for item in several if isinstance(item, str | PathLike)]
    if not several or 0 < len(paths) < len(several):
        raise InputError(f"found {len(paths)} paths among {len(several)} inputs, expected one or more, all paths or all tables")
    unnameable = next((path for path in paths if "\0" in str(path)), None)
    if unnameable is not None:
        raise InputError(f"{str(unnameable)!r}: found a name that no file can have")
    real = [os.path.realpath(path) for path in paths]
    repeated = [str(path) for i, path in enumerate(paths) if real[i] in real[:i]]
    if repeated:
        raise InputError(f"{repeated[0]}: found twice among the inputs, expected once: every particle of it would be a duplicate")
    if not paths and not all(is_table(item) for item in several):
        kinds = ", ".join(sorted({type(item).__name__ for item in several}))
        raise InputError(f"found inputs of type {kinds}, expected paths, or tables as starfile or cryosparc-tools return them")
    labels = ["table"] if len(several) == 1 else [f"table {i + 1}" for i in range(len(several))]
    return ([], paths) if paths else (list(zip(labels, several, strict=True)), [])


def choose(picks: Sequence[Picks], params: ParticleParams, progress: Callable[[int], object] | None = None) -> ParticleResult:
    """From columns to the choice: what is where, what stays, what that means."""
    gathered = gather(picks, params)
    choice = select(gathered, params, progress)
    found = analyse(gathered, choice, params)
    sources = [
        Source(picks=pick, start=int(start), pixel_sizes=size.found, sizes_a=size.sizes_a, score=score)
        for pick, start, size, score in zip(gathered.picks, gathered.bounds, gathered.centres.sizes, choice.described, strict=False)
    ]
    warnings = [*gathered.warnings, *choice.warnings, *found.warnings]
    result = ParticleResult(
        params=params,
        sources=sources,
        kept=choice.kept,
        rejected=choice.rejected,
        duplicate_of=choice.duplicate_of,
        distances_a=choice.distances_a(gathered.centres.coordinates_a),
        coordinates_a=gathered.centres.coordinates_a,
        in_angstrom=gathered.centres.in_angstrom,
        micrograph_of=gathered.micrograph_of,
        n_micrographs=gathered.matched.count,
        shift_key=gathered.centres.shift_key,
        scores=choice.scores,
        priority=choice.priority,
        halves=found.halves,
        repaired_halves=found.repaired_halves,
        together=found.together,
        coverage=gathered.coverage,
        suggestion=found.suggestion,
        overlaps=found.overlaps,
        shared_micrographs=gathered.shared_micrographs,
        repeated_uids=choice.repeated_uids,
        warnings=warnings,
        notes=[*gathered.matched.notes, *(note for pick in gathered.picks for note in pick.notes)],
    )
    warnings += half_set_warnings(result)
    return result
