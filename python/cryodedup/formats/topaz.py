"""Topaz picks: a line of column names, then a row a pick; x, y and perhaps z of the centre, in pixels of the image Topaz saw."""

from __future__ import annotations

from pathlib import Path

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.detect import head_of

NUMBERS = ("x_coord", "y_coord", "z_coord", "score")
EXPECTED = "image_name x_coord y_coord [z_coord] score"


def open_topaz(path: Path, threads: int = 0) -> _core.Table:
    """Scans one file of the picks in all images."""
    start, line, head = head_of(path)
    labels = head.split()
    if len(set(labels)) != len(labels) or not {"image_name", "x_coord", "y_coord"} <= set(labels):
        raise InputError(kind="malformed", path=path, line=line, found=f"columns {' '.join(labels)}", expected=EXPECTED)
    return _core.scan_rows([path], [start], [labels], numbers=NUMBERS, names=("image_name",), threads=threads)[0]
