"""Particles of tomography programs other than RELION: Dynamo, STOPGAP, IMOD.

Their coordinates are in pixels of the tomogram that they were picked in, which is usually binned; tomograms have numbers, not names.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError, Where
from cryodedup.formats.output import ParticleRows
from cryodedup.formats.pick_output import PickFile, PickFilesOutput
from cryodedup.formats.pick_tables import open_points, open_table
from cryodedup.formats.star import StarFile, text
from cryodedup.formats.star_output import StarOutput
from cryodedup.particles.inputs.picks import Floats, Halves, Micrograph, Picks, PixelSize, Scores
from cryodedup.particles.inputs.scores import higher_is_better, missing_score

if TYPE_CHECKING:
    from cryodedup.params import ParticleParams

STOPGAP = "stopgap_motivelist"
ORIGINAL, SHIFTS = ("orig_x", "orig_y", "orig_z"), ("x_shift", "y_shift", "z_shift")
STOPGAP_NUMBERS = (*ORIGINAL, *SHIFTS, "tomo_num", "subtomo_num", "score")
HALF_SET = "halfset"
_NUMBERS_END = 2**53
"""Beyond it float64 does not hold every whole number."""


def read_dynamo(path: Path, params: ParticleParams) -> Picks:
    """A Dynamo table: the centre is x, y, z plus the shifts; half-sets are kept in tables of their own there."""
    table = open_table(path, params.threads)
    columns = table.columns
    tomograms, micrograph_of = _numbered(path, table, "tomo")
    stored, shifts = (tuple(columns[label] for label in labels) for labels in ("xyz", ("dx", "dy", "dz")))
    shifts = () if params.used_shift_key == "none" else shifts
    position = _shifted(stored, shifts)
    _refuse_recrop(path, stored, tomograms)
    sizes, size_of = np.unique(columns.get("apix", np.zeros(len(table.rows))), return_inverse=True)
    return Picks(
        label=str(path),
        format="Dynamo table",
        micrographs=tomograms,
        micrograph_of=micrograph_of,
        stored=stored,
        position=position,
        added_shifts=shifts,
        notes=_shift_note(str(path), "columns 4 to 6", shifts),
        counted_in="tomogram",
        pixel_sizes=[PixelSize(of="", value_a=float(size) if size > 0 else None, found_in="apix (column 36)") for size in sizes]
        or [PixelSize(of="", value_a=None, found_in="")],
        pixel_size_of=size_of.astype(np.uint32),
        shift_keys=frozenset({"alignments3D"}),
        scores=_score(path, table, params, "cc"),
        output=PickFilesOutput(path, [PickFile(path, table.rows, 0)]),
        where=lambda row: Where(path, line=_core.line_number(path, table.rows.start(row))),
    )


def _refuse_recrop(path: Path, position: Sequence[Floats], tomograms: Sequence[Micrograph]) -> None:
    """A table for cropping from subtomograms has each particle in a volume of its own, always at the middle."""
    n = len(position[0])
    if n > 2 and len(tomograms) == n and all(np.ptp(column) == 0 for column in position):
        raise InputError(
            kind="unsupported",
            path=path,
            found=(
                f"every particle at {' '.join(f'{column[0]:g}' for column in position)} of a tomogram of its own:"
                " this table is for cropping subtomograms and gives no positions"
            ),
            expected="the table with the positions in the tomograms",
        )


def read_stopgap(file: StarFile, params: ParticleParams) -> Picks:
    """A STOPGAP motive list: the centre is the original position plus the shift; a row is an orientation of a particle."""
    table = file.find(STOPGAP)
    assert table is not None
    missing = [label for label in (*ORIGINAL, *SHIFTS, "tomo_num", "subtomo_num") if label not in table.labels]
    if missing:
        raise InputError(kind="missing", path=file.path, field=f"data_{STOPGAP}", found=f"no column _{missing[0]}", expected="it")
    columns = table.columns
    tomograms, micrograph_of = _numbered(file.path, table, "tomo_num")
    scores = _score(file.path, table, params, "score")
    halves = _half_sets(table)
    particle_of, best = _particles_of(columns, None if scores is None else _worth(scores, params))
    stored = tuple(columns[label][best] for label in ORIGINAL)
    shifts = () if params.used_shift_key == "none" else tuple(columns[label][best] for label in SHIFTS)
    output, notes = StarOutput(file, table), _shift_note(str(file.path), "_x_shift, ...", shifts)
    if len(best) < len(particle_of):
        notes += [
            f"{file.path}: {len(particle_of):,} rows are orientations of {len(best):,} particles (subtomo_num), which are kept or rejected"
            " together; counts are of particles"
        ]
    return Picks(
        label=str(file.path),
        format="STOPGAP motive list",
        micrographs=tomograms,
        micrograph_of=micrograph_of[best],
        stored=stored,
        position=_shifted(stored, shifts),
        added_shifts=shifts,
        counted_in="tomogram",
        pixel_sizes=[PixelSize(of="", value_a=None, found_in="")],
        shift_keys=frozenset({"alignments3D"}),
        scores=None if scores is None else Scores(field=scores.field, values=scores.values[best]),
        halves=None if halves is None else Halves(field=HALF_SET, values=halves[best]),
        output=ParticleRows(output, particle_of) if len(best) < len(particle_of) else output,
        where=lambda row: Where(file.path, line=_core.line_number(file.path, table.rows.start(int(best[row])))),
        notes=notes,
    )


def _worth(scores: Scores, params: ParticleParams) -> Floats:
    return scores.values if higher_is_better(scores.field, params.score_order) else -scores.values


def _particles_of(columns: dict[str, NDArray[np.float64]], worth: Floats | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The particle of each row, numbered by their first rows, and the row of the best orientation of each.

    Rows of one tomogram, one ``subtomo_num`` and one original position are one particle: in lists that were joined the numbers repeat.
    """
    keys = np.stack([columns[label] for label in ("tomo_num", "subtomo_num", *ORIGINAL)], axis=1)
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    particle_of = rank[inverse.reshape(-1)]
    last = np.zeros(len(particle_of)) if worth is None else np.nan_to_num(-worth, nan=np.inf)
    by_particle = np.lexsort((np.arange(len(particle_of)), last, particle_of))
    starts = np.searchsorted(particle_of[by_particle], np.arange(len(order)))
    return particle_of, by_particle[starts]


def _half_sets(table: _core.Table) -> NDArray[np.uint8] | None:
    if HALF_SET not in table.labels:
        return None
    index, names = table.columns[HALF_SET]
    numbers = np.array([{"A": 1, "B": 2}.get(text(name).upper(), 0) for name in names], np.uint8)
    return numbers[index] if len(index) else np.zeros(0, np.uint8)


def read_points(path: Path, params: ParticleParams) -> Picks:
    """IMOD points, of one tomogram, after which the file is named."""
    table = open_points(path, params.threads)
    position = tuple(table.columns[axis] for axis in "xyz")
    return Picks(
        label=str(path),
        format="IMOD points",
        micrographs=[Micrograph(name=path.stem, file=str(path))],
        micrograph_of=np.zeros(len(table.rows), np.uint32),
        stored=position,
        position=position,
        counted_in="tomogram",
        pixel_sizes=[PixelSize(of="", value_a=None, found_in="")],
        output=PickFilesOutput(path, [PickFile(path, table.rows, 0)]),
        where=lambda row: Where(path, line=_core.line_number(path, table.rows.start(row))),
        notes=[f"{path}: its columns are read as {' '.join(table.labels)}, in pixels of the tomogram that the file is named after"],
    )


def _shifted(positions: Sequence[Floats], shifts: Sequence[Floats]) -> tuple[Floats, ...]:
    with np.errstate(invalid="ignore", over="ignore"):  # a centre that is no number is refused with its row
        return tuple(position + shift for position, shift in zip(positions, shifts, strict=True)) if shifts else tuple(positions)


def _shift_note(label: str, columns: str, shifts: Sequence[Floats]) -> list[str]:
    """These shifts belong to the position, whatever shifts other inputs have."""
    return [f"{label}: its shifts ({columns}) are added to its coordinates"] if any(column.any() for column in shifts) else []


def _numbered(path: Path, table: _core.Table, label: str) -> tuple[list[Micrograph], NDArray[np.uint32]]:
    """The tomograms of a column of numbers, and that of each row."""
    values = table.columns[label]
    bad = ~((values >= 0) & (values < _NUMBERS_END) & (values == np.floor(values)))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            kind="malformed",
            path=path,
            line=_core.line_number(path, table.rows.start(row)),
            field=label,
            found=f"{values[row]:g}",
            expected="the number of a tomogram",
        )
    numbers, index = np.unique(values.astype(np.int64), return_inverse=True)
    return [Micrograph(name=f"tomogram {number}", number=int(number)) for number in numbers], index.astype(np.uint32)


def _score(path: Path, table: _core.Table, params: ParticleParams, usual: str) -> Scores | None:
    if params.score_field == "none":
        return None
    name = usual if params.score_field == "auto" else params.score_field.lstrip("_")
    if name in table.columns and isinstance(table.columns[name], np.ndarray):
        return Scores(field=name, values=table.columns[name])
    if params.score_field == "auto":
        return None
    raise missing_score(str(path), params.score_field, [name for name in table.labels if not name.startswith("column_")])
