"""Writing all particles with new half-sets: the input's own lines or records, but for that one column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cryodedup.errors import InputError
from cryodedup.formats import cryosparc
from cryodedup.formats.star import open_star
from cryodedup.particles.opening import particle_table
from cryodedup.particles.outputs import DatasetOutput, Mask, Place, Progress, StarOutput, dataset_names
from cryodedup.particles.picks import Picks

WORDS = ("repaired", "unused")
_CELL = re.compile(rb"\"[^\"\n]*\"|'[^'\n]*'|\S+")
_OTHER = bytes.maketrans(b"12", b"21")


def write_repaired(staging: Path, final: Path, stem: str, picks: Sequence[Picks], moved: Sequence[Mask], progress: Progress) -> list[str]:
    """Writes ``<stem>_repaired`` of inputs that are written together; returns what is to be told.

    Parameters
    ----------
    moved
        For each input bool (n,): which of its particles go to the other half.
    """
    first, *others = [(pick.output, np.ones(len(pick), bool)) for pick in picks]
    notes = first[0].write(Place(staging, final, WORDS), stem, first[1], others, progress)
    for path in staging.glob(f"{stem}_{WORDS[1]}*"):
        path.unlink()
    outputs = [pick.output for pick in picks]
    field = next(pick.halves.field for pick in picks if pick.halves is not None)
    if isinstance(outputs[0], StarOutput):
        _change_star(staging / f"{stem}_{WORDS[0]}.star", field, np.concatenate(moved))
    else:
        datasets = [output for output in outputs if isinstance(output, DatasetOutput)]
        _change_dataset(staging, stem, field, datasets, moved)
    return notes


def _change_star(path: Path, label: str, moved: Mask) -> None:
    (file,) = open_star([path])
    table = particle_table(file)
    column = table.labels.index(label)
    with path.open("r+b") as handle:
        for row in np.flatnonzero(moved).tolist():
            start, end = table.rows.start(row), table.rows.start(row + 1)
            handle.seek(start)
            cells = _CELL.finditer(handle.read(end - start))
            cell = next(cell for k, cell in enumerate(cells) if k == column)
            handle.seek(start + cell.start())
            handle.write(cell[0].translate(_OTHER) if len(cell[0]) == 1 else _same_length(cell[0]))


def _same_length(cell: bytes) -> bytes:
    """As ``1.000000``: its first digit is the number."""
    return re.sub(rb"[12]", lambda digit: digit[0].translate(_OTHER), cell, count=1)


def _change_dataset(staging: Path, stem: str, field: str, outputs: Sequence[DatasetOutput], moved: Sequence[Mask]) -> None:
    number = next(k for k, part in enumerate(outputs[0].parts) if field in part)
    part = outputs[0].parts[number]
    if not isinstance(part, cryosparc.NpyFile):
        raise InputError(f"{part.path}: found a dataset in CSDAT form, expected NPY form for --half-sets repair")
    name = dataset_names(stem, len(outputs[0].parts), WORDS)[number][0]
    records = np.lib.format.open_memmap(staging / name, mode="r+", max_header_size=cryosparc.LONGEST_HEADER)
    mask = np.concatenate([output.mask_of_part(number, one) for output, one in zip(outputs, moved, strict=True)])
    records[field][mask] = 1 - records[field][mask]
    records.flush()
