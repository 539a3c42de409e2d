"""Writing all particles with new half-sets: the input's own lines or records, but for that one column."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats import cryosparc
from cryodedup.formats.cryosparc_output import DatasetOutput, dataset_names
from cryodedup.formats.output import Mask, Place
from cryodedup.formats.star import open_star
from cryodedup.formats.star_output import StarOutput
from cryodedup.particles.inputs.picks import Picks
from cryodedup.particles.inputs.stars import particle_table
from cryodedup.progress import Progress

WORDS = ("repaired", "unused")
_OTHER = bytes.maketrans(b"12", b"21")


def write_repaired(
    staging: Path, final: Path, stem: str, picks: Sequence[Picks], halves: Sequence[NDArray[np.uint8]], progress: Progress
) -> list[str]:
    """Writes ``<stem>_repaired`` of inputs that are written together; returns what is to be told.

    Parameters
    ----------
    halves
        For each input uint8 (n,): the new half-sets, 1 or 2.
    """
    moved = [pick.halves.values != new for pick, new in zip(picks, halves, strict=True) if pick.halves is not None]
    first, *others = [(pick.output, np.ones(len(pick), bool)) for pick in picks]
    notes = first[0].write(Place(staging, final, WORDS), stem, first[1], others, progress)
    for path in staging.glob(f"{glob.escape(stem)}_{WORDS[1]}*"):
        path.unlink()
    outputs = [pick.output for pick in picks]
    field = next(pick.halves.field for pick in picks if pick.halves is not None)
    if isinstance(outputs[0], StarOutput):
        _change_star(staging / f"{stem}_{WORDS[0]}.star", field, np.concatenate(halves), np.concatenate(moved))
    else:
        datasets = [output for output in outputs if isinstance(output, DatasetOutput)]
        _change_dataset(staging, stem, field, datasets, moved)
        fields = {name for output in datasets for part in output.parts for name in part.dtype.names or () if name.endswith("/split")} - {
            field
        }
        notes = [*notes, *(f"{stem}_{WORDS[0]}: {field} is repaired, {name} is as it was" for name in sorted(fields))]
    return notes


def _change_star(path: Path, label: str, halves: NDArray[np.uint8], moved: Mask) -> None:
    table = _opened(path, ())
    column = table.labels.index(label)
    with path.open("r+b") as handle:
        for row in np.flatnonzero(moved).tolist():
            first, end = table.rows.start(row), table.rows.start(row + 1)
            handle.seek(first)
            line = handle.read(end - first)
            start, stop = _core.cell_spans(line)[column]
            handle.seek(first + start)
            handle.write(_same_length(line[start:stop]))
    found = _opened(path, (label,)).columns[label]
    if not np.array_equal(found, halves):  # never yet seen
        raise RuntimeError(f"{path.name}: the half-sets that were written are not those that were meant")


def _opened(path: Path, numbers: Sequence[str]) -> _core.Table:
    (file,) = open_star([path], numbers=numbers)
    return particle_table(file)


def _same_length(cell: bytes) -> bytes:
    """The other half; of ``1.000000`` the first digit other than 0 is the number."""
    return re.sub(rb"[12]", lambda digit: digit[0].translate(_OTHER), cell, count=1)


def _change_dataset(staging: Path, stem: str, field: str, outputs: Sequence[DatasetOutput], moved: Sequence[Mask]) -> None:
    names = dataset_names(stem, len(outputs[0].parts), WORDS)
    for number, part in enumerate(outputs[0].parts):  # a passthrough may have the field, too
        if field not in part:
            continue
        if not isinstance(part, cryosparc.NpyFile):
            raise InputError(f"{part.path}: found a dataset in CSDAT form, expected NPY form for --half-sets repair")
        records = np.lib.format.open_memmap(staging / names[number][0], mode="r+", max_header_size=cryosparc.LONGEST_HEADER)
        mask = np.concatenate([output.mask_of_part(number, one) for output, one in zip(outputs, moved, strict=True)])
        records[field][mask] = 1 - records[field][mask]
        records.flush()
