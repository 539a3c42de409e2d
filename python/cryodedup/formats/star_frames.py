"""STAR files as DataFrames, through ``starfile``: for users and for the demo. Importing it costs 0.9 s, so the command line never does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryodedup.formats.star import open_star

NAMES = ("Name", "File", "Path", "Uid")
"""Columns with one of these in their label hold names, whatever they look like: 0012 is no number."""


def read_frames(path: Path) -> dict[str, Any]:
    """The blocks of a file by name, a DataFrame for each loop; columns of names are read as they stand.

    Raises
    ------
    InputError
        The file is no STAR file.
    """
    import starfile

    (file,) = open_star([path])
    labels = {label for table in file.tables for label in table.labels}
    found: dict[str, Any] = starfile.read(path, always_dict=True, parse_as_string=[label for label in sorted(labels) if is_name(label)])
    return found


def is_name(label: str) -> bool:
    """Whether a column holds names."""
    return any(word in label for word in NAMES)


def optics(**columns: object) -> dict[str, object]:
    """A block of one optics group."""
    return {"rlnOpticsGroupName": ["opticsGroup1"], "rlnOpticsGroup": 1, **columns}


def write_frames(path: Path, blocks: Mapping[str, Mapping[str, object]]) -> None:
    """Writes a loop for each block of columns; numbers get six decimals."""
    import pandas
    import starfile

    starfile.write({name: pandas.DataFrame(columns) for name, columns in blocks.items()}, path, float_format="%.6f", sep=" ")
