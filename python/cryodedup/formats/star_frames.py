"""STAR files as DataFrames, by ``starfile``: for users and the demo. Importing it takes 0.9 s, so other commands never do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryodedup.errors import naming
from cryodedup.formats.star import open_star

NAMES = ("Name", "File", "Path", "Uid")
"""Columns with one of these words in their label contain names, even if these look like numbers, such as 0012."""


def read_frames(path: Path) -> dict[str, Any]:
    """The blocks of a file by name, a DataFrame for each loop; columns of names are read as text.

    Raises
    ------
    InputError
        The file is not a STAR file.
    """
    import starfile

    (file,) = open_star([path])
    labels = {label for table in file.tables for label in table.labels}
    found: dict[str, Any] = starfile.read(path, always_dict=True, parse_as_string=[label for label in sorted(labels) if is_name(label)])
    return found


def is_name(label: str) -> bool:
    """Whether a column contains names."""
    return any(word in label for word in NAMES)


def optics(**columns: object) -> dict[str, object]:
    """A block with one optics group."""
    return {"rlnOpticsGroupName": ["opticsGroup1"], "rlnOpticsGroup": 1, **columns}


def write_frames(path: Path, blocks: Mapping[str, Mapping[str, object]]) -> None:
    """Writes each block of columns as a loop; floating-point numbers get six decimals."""
    import pandas
    import starfile

    with naming(path):
        starfile.write({name: pandas.DataFrame(columns) for name, columns in blocks.items()}, path, float_format="%.6f", sep=" ")
