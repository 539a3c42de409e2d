"""Picks as a table with commas: a line of column names, then a row a pick; x and y (and z) of the centre, in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.detect import head_of
from cryodedup.formats.star import text

NAMES = {
    "micrograph": ("micrograph", "micrograph_name", "micrograph_path", "image_name", "image", "filename", "rlnmicrographname"),
    "x": ("x", "x_coord", "x_px", "rlncoordinatex"),
    "y": ("y", "y_coord", "y_px", "rlncoordinatey"),
    "z": ("z", "z_coord", "z_px", "rlncoordinatez"),
    "score": ("score", "confidence", "rlnautopickfigureofmerit"),
}
"""The names of columns, whatever their case; other columns are not used."""
EXPECTED = "columns micrograph, x and y (centre in pixels; z and score are optional)"


@dataclass(frozen=True)
class CsvPicks:
    """The rows of a file; the micrograph of each, an index into ``names``; and columns float64 (n,) by ``x``, ``y``, ``z``, ``score``."""

    rows: _core.Rows
    micrograph_of: NDArray[np.uint32]
    names: list[str]
    columns: dict[str, NDArray[np.float64]]


def open_csv(path: Path, threads: int = 0) -> CsvPicks:
    """Reads a file of the picks in all micrographs.

    Raises
    ------
    InputError
        Missing or repeated columns; a row with other cells than the head, with blanks in them, or without a number where one is expected.
    """
    start, line, labels = _head(path)
    at: dict[str, int] = {}
    for meaning, known in NAMES.items():
        found = [i for i, label in enumerate(labels) if label.lower().removeprefix("_") in known]
        if len(found) > 1 or (not found and meaning in ("micrograph", "x", "y")):
            raise InputError(kind="malformed", path=path, line=line, found=f"columns {', '.join(labels)}", expected=EXPECTED)
        at |= {meaning: found[0]} if found else {}
    try:
        table = _core.scan_rows([path], [start], [["row"]], numbers=(), names=("row",), threads=threads)[0]
    except InputError as error:
        raise error.but(remedy="separate the cells of this table by commas, without blanks") from None
    index, distinct = table.columns["row"]
    cells = [text(row).strip().split(",") for row in distinct]
    wrong = next((i for i, row in enumerate(cells) if len(row) != len(labels)), None)
    if wrong is not None:
        raise InputError(
            kind="malformed",
            path=path,
            line=_line(path, table, index, wrong),
            found=f"{len(cells[wrong])} cells",
            expected=f"{len(labels)}, as in the header",
        )
    names, micrograph_of = np.unique([row[at["micrograph"]].strip('"') for row in cells] or np.zeros(0, str), return_inverse=True)
    columns = {}
    for meaning in at.keys() - {"micrograph"}:
        values = np.array([_number(row[at[meaning]]) for row in cells], float)
        if meaning != "score" and np.isnan(values).any():
            bad = int(np.isnan(values).argmax())
            found_there = cells[bad][at[meaning]]
            raise InputError(
                kind="malformed",
                path=path,
                line=_line(path, table, index, bad),
                field=labels[at[meaning]],
                found=f"{found_there!r}",
                expected="a number",
            )
        columns[meaning] = values[index]
    return CsvPicks(table.rows, micrograph_of.reshape(-1).astype(np.uint32)[index], names.tolist(), columns)


def _head(path: Path) -> tuple[int, int, list[str]]:
    """Where the rows begin, the line of the head, and its labels."""
    start, line, head = head_of(path)
    return start, line, [label.strip().strip('"') for label in head.split(",")]


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _line(path: Path, table: _core.Table, index: NDArray[np.uint32], distinct: int) -> int:
    """The first line that has one of the distinct rows."""
    return _core.line_number(path, table.rows.start(int((index == distinct).argmax())))
