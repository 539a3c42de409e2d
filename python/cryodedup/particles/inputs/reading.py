"""Reads files and tables of any format into columns of particles."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError
from cryodedup.formats import cryosparc as cs
from cryodedup.formats.cryosparc_output import DatasetOutput
from cryodedup.formats.cs_group import CsGroup
from cryodedup.formats.datasets import DatasetFile, JoinedFields, open_dataset
from cryodedup.formats.detect import kind_of
from cryodedup.formats.optimisation_set import OptimisationSet
from cryodedup.formats.project import is_file
from cryodedup.formats.star import FrameColumns, StarFile, TableColumns
from cryodedup.formats.star_output import StarOutput
from cryodedup.formats.table_output import FrameOutput, RecordsOutput
from cryodedup.particles.forecast import refuse_too_large
from cryodedup.particles.inputs import cryosparc, pickers, relion, subtomograms
from cryodedup.particles.inputs.picks import Picks
from cryodedup.particles.inputs.stars import has_picks_of_one_micrograph, is_motive_list, open_stars, particle_table
from cryodedup.progress import SILENT, Progress
from cryodedup.text import brief

if TYPE_CHECKING:
    from cryodedup.params import ParticleParams


def read_inputs(paths: Sequence[Path], params: ParticleParams, progress: Progress = SILENT) -> list[Picks]:
    """Reads every input; files of picks that belong together (one a micrograph, in one folder) become one."""
    kinds = [(path, kind_of(path)) for path in paths]
    refuse_too_large(kinds, progress)
    stars = [path for path, kind in kinds if kind == "star"]
    opened = dict(zip(stars, open_stars(stars, params, progress), strict=True))
    found: dict[Path, Callable[[], Picks]] = {}  # by the first path of each input
    folders: dict[tuple[Path, str], list[Path]] = {}
    single = {"topaz": pickers.read_topaz, "csv": pickers.read_csv, "dynamo": subtomograms.read_dynamo, "points": subtomograms.read_points}
    for path, kind in kinds:
        if kind == "folder":
            found[path] = partial(pickers.read_folder, path, params)
        elif kind == "csg":
            group = CsGroup.open(path)
            _refuse_named_too(group, paths)
            found[path] = partial(_read_group, group, params, progress)
        elif kind in single:
            found[path] = partial(single[kind], path, params)
        elif kind == "box" or (kind == "star" and has_picks_of_one_micrograph(opened[path])):
            key = (path.parent, path.suffix + pickers.suffix(path))
            if key not in folders:
                folders[key] = []
                found[path] = partial(pickers.read_pick_files, folders[key], params, opened)
            folders[key].append(path)
        elif kind == "star":
            found[path] = partial(_read_star, opened[path], params)
    datasets = {path: open_dataset(path, params.threads, progress.advance_to) for path, kind in kinds if kind in ("npy", "csdat")}
    for job in _jobs(datasets):
        found[min(job, key=paths.index)] = partial(_read_datasets, [datasets[part] for part in job], params)
    picks = [found[path]() for path in paths if path in found]
    _refuse_twice(picks)
    return picks


def _refuse_named_too(group: CsGroup, paths: Sequence[Path]) -> None:
    """Refuses a file of a group that is named by itself, too."""
    of_group = {os.path.realpath(path) for path in group.files}
    for path in paths:
        if os.path.realpath(path) in of_group:
            raise InputError(
                kind="ambiguous", path=path, found=f"twice, by itself and in {group.path}", expected="once", remedy="give only the .csg"
            )


def _refuse_twice(picks: Sequence[Picks]) -> None:
    """Refuses a file that is read twice, by itself and as part of a folder, an index or a group: all its particles would be duplicates."""
    seen: dict[tuple[int, int], str] = {}
    for pick in picks:
        for path in pick.output.row_files:
            stat = path.stat()
            if (stat.st_dev, stat.st_ino) in seen:
                both = " and ".join(dict.fromkeys([seen[stat.st_dev, stat.st_ino], pick.label]))
                raise InputError(
                    kind="ambiguous", path=path, found=f"twice, in {both}", expected="once: every particle of it would be a duplicate"
                )
            seen[stat.st_dev, stat.st_ino] = pick.label


def read_table(table: Any, params: ParticleParams, label: str = "table") -> Picks:
    """Reads what ``starfile.read`` or ``cryosparc.dataset.Dataset.load`` return, or a structured array of CryoSPARC's fields."""
    if isinstance(table, np.ndarray) or callable(getattr(table, "fields", None)):
        return cryosparc.read(JoinedFields.of([cs.RecordArray.of(table, label)]), params, RecordsOutput(table, label))
    return relion.read(FrameColumns(table, label), params, FrameOutput(table, label))


def is_table(values: Any) -> bool:
    """Whether it is a table of particles: DataFrame, dict of them, Dataset or structured array."""
    structured = isinstance(values, np.ndarray) and values.dtype.names is not None
    return structured or isinstance(values, Mapping) or hasattr(values, "columns") or callable(getattr(values, "fields", None))


def refuse_what_is_no_table(values: Any) -> None:
    """Refuses what is easily taken for a table of particles: a row, a column, several tables in a dict; says what to give instead.

    Raises
    ------
    InputError
        One of these.
    """
    kind, instead = type(values).__name__, ""
    if isinstance(values, np.void):
        kind, instead = "one record of an array", "an array: array[i:i + 1] for one particle"
    elif hasattr(values, "iloc") and not hasattr(values, "columns"):
        kind, instead = f"a {kind}: one row or one column of a table", "a table: table.iloc[[i]] for one particle"
    elif isinstance(values, Mapping) and values and not callable(getattr(values, "fields", None)):
        blocks = list(values.values())
        if all(isinstance(block, Mapping) for block in blocks):
            kind, instead = f"a dict of {len(blocks)} dicts", "one dict of tables, or several in a list: list(tables.values())"
        elif not any(hasattr(block, "columns") for block in blocks):
            several = any(isinstance(block, list | tuple | np.ndarray) for block in blocks)
            kind = "a dict of columns" if several else "a dict of single values, one row of a table"
            instead = "a table: pandas.DataFrame(columns)" if several else "a table: pandas.DataFrame([row])"
    elif isinstance(values, list | tuple) and values and all(isinstance(item, Mapping) for item in values):
        kind, instead = f"a list of {len(values)} dicts", "one table; cryodedup.deduplicate_particles takes several"
    if instead:
        raise InputError(kind="unsupported", found=kind, expected=instead)


def _read_star(file: StarFile, params: ParticleParams) -> Picks:
    if is_motive_list(file):
        return subtomograms.read_stopgap(file, params)
    index = file.find("coordinate_files")
    if index is not None:
        return pickers.read_index(file, index, params)
    optimisation_set = OptimisationSet.of(file)
    if optimisation_set is not None:
        (file,) = open_stars([optimisation_set.particles], params)
    table = particle_table(file)
    if optimisation_set is None and "rlnTomoName" in table.labels:
        optimisation_set = OptimisationSet.beside(file.path)
    return relion.read(TableColumns(file, table), params, StarOutput(file, table, optimisation_set))


def files_of(group: CsGroup) -> list[Path]:
    """The files of a group; refuses a group whose files are missing."""
    missing = [path for path in group.files if not is_file(path)]
    if missing:
        raise InputError(
            kind="missing",
            path=group.path,
            found=f"no {brief(missing[0].name)} beside it, although it refers to that file",
            expected="it: a .csg contains no particles itself",
            remedy="export the whole result group, or copy its .cs files as well",
        )
    return group.files


def _jobs(opened: Mapping[Path, DatasetFile]) -> list[list[Path]]:
    """Joins each dataset without locations to the one that has the locations of the same particles, as of one job."""
    datasets = list(opened)
    lone = [path for path in datasets if cryosparc.X not in opened[path] and "uid" in opened[path]]
    jobs = {path: [path] for path in datasets if path not in lone}
    taken: dict[Path, Path] = {}
    for path in lone:
        uids = np.sort(opened[path].uids())
        same = [other for other in jobs if len(opened[other]) == len(uids) and np.array_equal(np.sort(opened[other].uids()), uids)]
        if len(same) > 1:
            raise InputError(
                kind="ambiguous",
                path=path,
                found=f"the same particles (by uid) in {same[0]} and {same[1]}",
                expected="one file with their locations",
                remedy="give one of them, or the .csg of the job",
            )
        if not same or not len(uids):
            _refuse_other_jobs(path, uids, {other: opened[other] for other in jobs if other not in lone})
            jobs[path] = [path]
            continue
        if same[0] in taken:
            raise InputError(
                kind="ambiguous",
                path=path,
                found=f"two main files of the particles in {same[0]}, this and {taken[same[0]]}",
                expected="one: their alignments may differ",
            )
        taken[same[0]] = path
        jobs[same[0]].insert(0, path)
    _refuse_two_alignments([job[0] for job in jobs.values()], opened)
    order = {path: i for i, path in enumerate(datasets)}
    return sorted(jobs.values(), key=lambda job: min(order[path] for path in job))


def _refuse_other_jobs(path: Path, uids: NDArray[np.uint64], located: Mapping[Path, DatasetFile]) -> None:
    """Refuses the passthrough file of another job beside a file without locations: it has locations, but of other particles."""
    other = next((one for one, dataset in located.items() if cryosparc.IMAGES not in dataset and "uid" in dataset), None)
    common = 0 if other is None else int(np.isin(uids, located[other].uids()).sum())
    if other is not None and common < len(uids):
        raise InputError(
            kind="contradiction",
            path=path,
            found=(f"{common:,} of its {len(uids):,} particles (by uid) in {other}, which is the passthrough file of another job"),
            expected="that of the same job, or its .csg",
        )


def _refuse_two_alignments(mains: Sequence[Path], opened: Mapping[Path, DatasetFile]) -> None:
    """Refuses the same particles aligned in two jobs: the user has to choose one alignment."""
    aligned = [path for path in mains if any(f"{key}/shift" in opened[path] for key in cryosparc.SHIFT_KEYS) and "uid" in opened[path]]
    for i, path in enumerate(aligned):
        for other in aligned[:i]:
            if len(opened[path]) and len(opened[path]) == len(opened[other]):
                uids, theirs = (np.sort(opened[one].uids()) for one in (path, other))
                if np.array_equal(uids, theirs):
                    raise InputError(
                        kind="contradiction",
                        path=path,
                        found=f"the same particles (by uid) as in {other}, with alignments in both",
                        expected="one alignment of each particle",
                        remedy="give only one of the two",
                    )


def _read_group(group: CsGroup, params: ParticleParams, progress: Progress) -> Picks:
    return _read_datasets([open_dataset(path, params.threads, progress.advance_to) for path in files_of(group)], params, group)


def _read_datasets(parts: Sequence[DatasetFile], params: ParticleParams, group: CsGroup | None = None) -> Picks:
    fields = JoinedFields.of(parts, group)
    return cryosparc.read(fields, params, DatasetOutput(parts, fields.orders, group))


def files_read(picks: Sequence[Picks], params: ParticleParams) -> set[Path]:
    """All files and folders that are read, resolved: none of them may be written to."""
    given = [Path(path) for path in (params.micrographs, params.tomograms) if path is not None]
    return {Path(os.path.realpath(file)) for file in (*given, *(file for pick in picks for file in pick.output.files))}
