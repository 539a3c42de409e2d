"""The whole job: read, place, choose."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.params import ParticleParams
from cryodedup.particles.analysis.coverage import Coverage, coverage_of
from cryodedup.particles.analysis.half_sets import check_repairable, half_set_warnings, hanging_together, of_all
from cryodedup.particles.analysis.separation import Suggestion, suggest
from cryodedup.particles.arrays import is_table
from cryodedup.particles.centres import Centres, place
from cryodedup.particles.inputs import consistency
from cryodedup.particles.inputs.identity import unify
from cryodedup.particles.inputs.micrograph_table import read_micrographs
from cryodedup.particles.inputs.picks import Picks
from cryodedup.particles.inputs.reading import read_inputs, read_table
from cryodedup.particles.inputs.scores import compare
from cryodedup.particles.inputs.tomograms import named, number_note, read_tomograms
from cryodedup.particles.result import ParticleResult, Source
from cryodedup.particles.selection import compared_columns, repeated_uids, select, voted

Say = Callable[[str], object]
MOST_SOURCES = 64
"""Up to this many inputs are compared with each other in the summary."""


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
    """From columns to the choice."""
    if params.tomograms is not None:
        names = read_tomograms(Path(params.tomograms))
        picks = [named(pick, names, Path(params.tomograms)) for pick in picks]
    if params.half_sets == "repair":
        check_repairable(picks)
    if params.min_votes > len(picks):
        raise InputError(f"min_votes: found {params.min_votes}, expected at most {len(picks)}, the number of inputs")
    matched = unify([(pick.label, pick.micrographs) for pick in picks], params.match)
    table = read_micrographs(Path(params.micrographs)) if params.micrographs else None
    rows_of = [[None] * len(pick.micrographs) if table is None else table.rows_of(pick, params.match) for pick in picks]
    centres = place(picks, table, rows_of, params)
    bounds = np.cumsum([0, *map(len, picks)])
    source_of = np.repeat(np.arange(len(picks), dtype=np.uint32), np.diff(bounds))
    group_of = _concatenated(np.asarray(number, np.uint32)[pick.micrograph_of] for number, pick in zip(matched.numbers, picks, strict=True))
    shared = np.array([[len({*first} & {*second}) for second in matched.numbers] for first in matched.numbers])
    warnings = [*(warning for pick in picks for warning in pick.warnings), *matched.warnings, *number_note(picks)]
    warnings += consistency.unrelated(picks, shared) + centres.warnings + _parameter_warnings(picks, params)
    scores, described = compare(picks, params, warnings)
    compared = compared_columns(picks, centres, params)
    priority = source_of if params.priority == "input" else None

    repeated = repeated_uids(picks, scores, priority, params)
    if repeated is not None:
        warnings.append(f"{len(repeated.particles):,} particles have the uid of another: they are duplicates of it wherever they are")
    kept, rejected, duplicate_of = select(compared, group_of, scores, priority, repeated, params, progress)
    coverage = coverage_of(matched.numbers, matched.count, rows_of)
    if params.min_votes > 1:
        found = kept, rejected, duplicate_of
        kept, rejected, duplicate_of = voted(*found, source_of, len(picks), coverage.needed(params)[group_of])
        warnings += _vote_warnings(
            kept, coverage, group_of, voted(*found, source_of, len(picks), np.full(len(kept), params.min_votes))[0], params
        )
    difference = centres.coordinates_a[rejected] - centres.coordinates_a[duplicate_of]
    distances_a = np.where(duplicate_of == rejected, np.nan, np.sqrt((difference * difference).sum(axis=1)))
    overlaps = None
    if 1 < len(picks) <= MOST_SOURCES:
        overlaps = _core.overlaps(compared, group_of, source_of, len(picks), params.min_separation_a, threads=params.threads)
    elif len(picks) > MOST_SOURCES:
        warnings.append(f"{len(picks)} inputs: their overlaps are not counted (more than {MOST_SOURCES})")
    if centres.in_angstrom:
        warnings += consistency.mirrored(picks, centres.sizes, centres.coordinates_a, group_of, source_of, params)
        warnings += consistency.filament_warnings(picks, centres.coordinates_a, params)
    sources = [
        Source(picks=pick, start=int(start), pixel_sizes=size.found, sizes_a=size.sizes_a, score=score)
        for pick, start, size, score in zip(picks, bounds[:-1], centres.sizes, described, strict=True)
    ]
    halves = of_all(picks)
    if halves is None and any(pick.halves is not None and pick.halves.values.any() for pick in picks):
        warnings.append("all particles are of one half-set: duplicates across the two can not be counted")
    together = None
    if halves is not None and (params.half_sets == "repair" or params.min_separation_a == 0):
        nothing = np.zeros(0, np.int64)
        same = (repeated.particles, repeated.best) if repeated is not None else (nothing, nothing)
        together = hanging_together(compared, group_of, scores, priority, params.min_separation_a, same, params.threads)
    suggestion = _suggestion(centres, group_of, params)
    outvoted = int((rejected == duplicate_of).sum())
    by_distance = max(0, len(rejected) - outvoted - (0 if repeated is None else len(repeated.particles)))
    warnings += suggestion.warnings(params.min_separation_a, by_distance, len(kept))
    result = ParticleResult(
        params=params,
        sources=sources,
        kept=kept,
        rejected=rejected,
        duplicate_of=duplicate_of,
        distances_a=distances_a,
        coordinates_a=centres.coordinates_a,
        in_angstrom=centres.in_angstrom,
        micrograph_of=group_of,
        n_micrographs=matched.count,
        shift_key=centres.shift_key,
        scores=scores,
        priority=priority,
        halves=halves,
        repaired_halves=halves[together] if params.half_sets == "repair" and halves is not None else None,
        together=together,
        coverage=coverage,
        suggestion=suggestion,
        overlaps=overlaps,
        shared_micrographs=shared,
        repeated_uids=0 if repeated is None else len(repeated.particles),
        warnings=warnings,
        identity_notes=matched.notes,
    )
    warnings += half_set_warnings(result)
    return result


def _concatenated(columns: Any) -> Any:
    columns = list(columns)
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _suggestion(centres: Centres, group_of: Any, params: ParticleParams) -> Suggestion:
    """None where no distance was asked for."""
    if params.undo_symmetry_expansion or not centres.in_angstrom:
        return Suggestion()
    return suggest(centres.coordinates_a, group_of, params.threads)


def _parameter_warnings(picks: Sequence[Picks], params: ParticleParams) -> list[str]:
    """What was asked for and is not used, or deletes more than one may think."""
    warnings = list(params.unused)
    if params.remove_entirely and len(picks) > 1:
        warnings.append(
            f"remove entirely, with {len(picks)} inputs: what two of them found is rejected in both, so that the particles they agree on"
            " are lost; leave it out to keep one of each"
        )
    return warnings


def _vote_warnings(kept: Any, coverage: Coverage, group_of: Any, kept_by_all: Any, params: ParticleParams) -> list[str]:
    """What stays though fewer inputs found it than were asked for, since no more cover the micrograph; and that nothing stays."""
    if len(kept) and not kept.any():
        return [f"nothing stays: no particle was found by {params.min_votes} inputs within {params.min_separation_a:g} Å"]
    few = coverage.counts() < params.min_votes
    in_few = int(np.count_nonzero(few[np.unique(group_of)]))
    if not in_few:
        return []
    where = f"{in_few:,} micrographs are covered by fewer than {params.min_votes} inputs"
    more = int(kept.sum() - kept_by_all.sum())
    if params.votes_where == "all":
        return [f"{where}: nothing can stay in them (--votes-where all)"]
    return [f"{where}: {more:,} particles stay there that fewer inputs found; --votes-where all would reject them"]
