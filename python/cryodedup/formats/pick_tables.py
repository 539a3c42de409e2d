"""EMAN ``.box`` files: x y width height, and an optional fifth column; x and y are those of the corner, in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.detect import DYNAMO_COLUMNS, POINTS, head_of

LABELS = ("x", "y", "w", "h", "score")
FLAGS = (-3.0, -2.0, -1.0, 0.0)
"""Values of EMAN1 in the fifth column for how a box was made (-3: a plain one; -1 and -2: the ends of a helix)."""
HELIX_ENDS = (-1.0, -2.0)


def open_boxes(paths: Sequence[Path], threads: int = 0) -> list[_core.Table]:
    """Scans box files; an empty file is a micrograph without picks.

    Raises
    ------
    InputError
        Rows without 4 or 5 numbers, sizes that are not positive whole numbers, rows of tomogram boxes, or ends of helices.
    """
    tables = _core.scan_rows(paths, [0] * len(paths), [_labels(path) for path in paths], numbers=LABELS, names=(), threads=threads)
    for path, table in zip(paths, tables, strict=True):
        _check(path, table)
    return tables


def score(table: _core.Table) -> np.ndarray | None:
    """The fifth column, float64 (n,); None if there is none or if it holds flags."""
    values: np.ndarray | None = table.columns.get("score")
    return None if values is None or np.isin(values, FLAGS).all() else values


def _labels(path: Path) -> list[str]:
    with path.open("rb") as file:
        first = next((line.split() for line in file if line.strip()), [b""] * 4)
    if len(first) not in (4, 5):
        raise InputError(
            kind="malformed", path=path, found=f"a first row of {len(first)} cells", expected="4 or 5: x y width height [score]"
        )
    return list(LABELS[: len(first)])


def _check(path: Path, table: _core.Table) -> None:
    for label, word in (("w", "width"), ("h", "height")):
        sizes = table.columns[label]
        bad = ~((sizes > 0) & (sizes == np.floor(sizes)))
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                kind="malformed",
                path=path,
                line=_core.line_number(path, table.rows.start(row)),
                found=f"a {word} of {sizes[row]:g}",
                expected="a whole number of pixels above 0: without it the corner gives no centre",
            )
    fifth = table.columns.get("score", np.zeros(0))
    if len(fifth) > 1 and np.array_equal(fifth, table.columns["h"]) and np.ptp(table.columns["w"]) > 0:
        raise InputError(
            kind="unsupported",
            path=path,
            found="rows x y z width height, as crYOLO writes boxes of tomograms",
            expected="x y width height [score]",
            remedy="give its .cbox or .coords",
        )
    if len(fifth) and np.isin(fifth, FLAGS).all() and np.isin(fifth, HELIX_ENDS).any():
        raise InputError(kind="unsupported", path=path, found="the ends of helices (-1 and -2 in the fifth column)", expected="particles")


def open_points(path: Path, threads: int = 0) -> _core.Table:
    """Scans one file, of one tomogram; in pixels of the volume that the model was made on."""
    start = 0
    with path.open("rb") as file:
        for line in file:
            if line.strip() and not line.lstrip().startswith(b"#"):
                break
            start += len(line)
    labels = POINTS[len(line.split())].split()
    return _core.scan_rows([path], [start], [labels], numbers=("x", "y", "z"), names=(), threads=threads)[0]


COLUMNS = {4: "dx", 5: "dy", 6: "dz", 10: "cc", 20: "tomo", 24: "x", 25: "y", 26: "z", 36: "apix"}
"""Those that are read, counted from 1. Shifts are added to x, y and z; all are in pixels of the tomogram, counted from 1."""


def open_table(path: Path, threads: int = 0) -> _core.Table:
    """Scans one table; shorter ones than the convention's exist, but not without z."""
    with path.open("rb") as file:
        first = next((line.split() for line in file if line.strip()), [])
    if len(first) < DYNAMO_COLUMNS:
        raise InputError(
            kind="malformed",
            path=path,
            found=f"a first row of {len(first)} cells",
            expected=f"a Dynamo table: {DYNAMO_COLUMNS} columns or more",
        )
    labels = [COLUMNS.get(i, f"column_{i}") for i in range(1, len(first) + 1)]
    return _core.scan_rows([path], [0], [labels], numbers=list(COLUMNS.values()), names=(), threads=threads)[0]


NUMBERS = ("x_coord", "y_coord", "z_coord", "score")
EXPECTED = "image_name x_coord y_coord [z_coord] score"


def open_topaz(path: Path, threads: int = 0) -> _core.Table:
    """Scans one file of the picks in all images."""
    start, line, head = head_of(path)
    labels = head.split()
    if len(set(labels)) != len(labels) or not {"image_name", "x_coord", "y_coord"} <= set(labels):
        raise InputError(kind="malformed", path=path, line=line, found=f"columns {' '.join(labels)}", expected=EXPECTED)
    return _core.scan_rows([path], [start], [labels], numbers=NUMBERS, names=("image_name",), threads=threads)[0]
