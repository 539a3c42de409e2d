"""Dynamo tables, ``.tbl``: a row a particle, columns without names (Dynamo's wiki, Table convention)."""

from __future__ import annotations

from pathlib import Path

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.detect import DYNAMO_COLUMNS

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
