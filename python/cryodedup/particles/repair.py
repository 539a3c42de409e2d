"""Writes all particles with new half-sets: the lines or records of the input, with only that column changed."""

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
from cryodedup.formats.output import Mask, Place
from cryodedup.formats.star_output import Moved, StarOutput
from cryodedup.names import named
from cryodedup.particles.inputs.picks import Picks
from cryodedup.progress import Progress

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
    notes: list[str] = first[0].write(Place(staging, final, WORDS), stem, first[1], others, progress)
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
