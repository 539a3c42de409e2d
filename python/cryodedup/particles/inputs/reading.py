"""From the files and tables a user names to columns of particles, whatever their formats."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cryodedup.errors import InputError
from cryodedup.formats import cryosparc as cs
from cryodedup.formats.star import FrameColumns, StarFile, TableColumns
from cryodedup.particles.inputs import cryosparc, pickers, relion
from cryodedup.particles.inputs.picks import Picks
from cryodedup.particles.inputs.stars import has_picks_of_one_micrograph, kind_of, open_stars, particle_table
from cryodedup.particles.outputs import DatasetOutput, NoOutput, StarOutput

if TYPE_CHECKING:
    from cryodedup.params import ParticleParams

Progress = Callable[[int], object] | None


def read_inputs(paths: Sequence[Path], params: ParticleParams, progress: Progress = None) -> list[Picks]:
    """Reads every input; files of picks that belong together (one a micrograph, in one folder) become one."""
    kinds = [(path, kind_of(path)) for path in paths]
    stars = [path for path, kind in kinds if kind == "star"]
    opened = dict(zip(stars, open_stars(stars, params, progress), strict=True))
    found: dict[Path, Callable[[], Picks]] = {}  # by the first path of each input
    folders: dict[tuple[Path, str], list[Path]] = {}
    for path, kind in kinds:
        if kind == "folder":
            found[path] = partial(pickers.read_folder, path, params)
        elif kind == "csg":
            group = cs.CsGroup.open(path)
            found[path] = partial(_read_datasets, group.files, params, progress, group)
        elif kind == "topaz":
            found[path] = partial(pickers.read_topaz, path, params)
        elif kind == "box" or (kind == "star" and has_picks_of_one_micrograph(opened[path])):
            key = (path.parent, path.suffix + pickers.suffix(path))
            if key not in folders:
                folders[key] = []
                found[path] = partial(pickers.read_pick_files, folders[key], params, opened)
            folders[key].append(path)
        elif kind == "star":
            found[path] = partial(_read_star, opened[path], params)
    for job in _jobs([path for path, kind in kinds if kind in ("npy", "csdat")], params):
        found[min(job, key=paths.index)] = partial(_read_datasets, job, params, progress)
    return [found[path]() for path in paths if path in found]


def read_table(table: Any, params: ParticleParams, label: str = "table") -> Picks:
    """Reads what ``starfile.read`` or ``cryosparc.dataset.Dataset.load`` return, or a structured array of CryoSPARC's fields."""
    if isinstance(table, np.ndarray) or callable(getattr(table, "fields", None)):
        return cryosparc.read(cryosparc.Joined.by_uid([cs.RecordArray.of(table, label)]), params, NoOutput())
    return relion.read(FrameColumns(table, label), params, NoOutput())


def _read_star(file: StarFile, params: ParticleParams) -> Picks:
    index = file.find("coordinate_files")
    if index is not None:
        return pickers.read_index(file, index, params)
    table = particle_table(file)
    return relion.read(TableColumns(file, table), params, StarOutput(file, table))


def _jobs(datasets: Sequence[Path], params: ParticleParams) -> list[list[Path]]:
    """Puts a dataset without locations together with the one of the same particles that has them, as of one job."""
    opened = {path: open_dataset(path, params) for path in datasets}
    lone = [path for path in datasets if cryosparc.X not in opened[path] and "uid" in opened[path]]
    jobs = {path: [path] for path in datasets if path not in lone}
    for path in lone:
        uids = np.sort(opened[path].uids())
        fitting = [other for other in jobs if len(opened[other]) == len(uids) and np.array_equal(np.sort(opened[other].uids()), uids)]
        if len(fitting) == 1 and len(uids):
            jobs[fitting[0]].insert(0, path)
        else:
            jobs[path] = [path]
    order = {path: i for i, path in enumerate(datasets)}
    return sorted(jobs.values(), key=lambda job: min(order[path] for path in job))


def open_dataset(path: Path, params: ParticleParams, progress: Progress = None) -> cs.NpyFile | cs.CsdatFile:
    """A dataset in NPY or CSDAT form, as its first bytes say."""
    kind = kind_of(path)
    if kind not in ("npy", "csdat"):
        raise InputError(f"{path}: found no CryoSPARC dataset, expected one, as a group names it")
    return cs.NpyFile.open(path, params.threads, progress) if kind == "npy" else cs.CsdatFile.open(path)


def _read_datasets(paths: Sequence[Path], params: ParticleParams, progress: Progress, group: cs.CsGroup | None = None) -> Picks:
    parts = [open_dataset(path, params, progress) for path in paths]
    fields = cryosparc.Joined.by_uid(parts, str(group.path) if group else None)
    return cryosparc.read(fields, params, DatasetOutput(parts, fields.orders, group))


def sources_of(picks: Sequence[Picks], params: ParticleParams) -> set[Path]:
    """All files and folders that are read, resolved: none of them may be written to."""
    micrographs = [] if params.micrographs is None else [params.micrographs]
    return {Path(os.path.realpath(file)) for file in (*micrographs, *(file for pick in picks for file in pick.output.files))}
