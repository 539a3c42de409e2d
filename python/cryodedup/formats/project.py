"""The directory to which the paths in a table are relative: RELION's project directory, or for Warp and others that of the table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

SAMPLE = 20
"""This many paths are looked up in each directory; all of them, if more than one directory has some of these."""


def is_file(path: Path) -> bool:
    """Whether there is such a file; not where a name from a table is longer than any file's, for which ``Path`` raises an error."""
    return os.path.isfile(path)  # noqa: PTH113


def bases(table: Path) -> list[Path]:
    """The current directory, in which RELION is run, then that of the table and those above it, nearest first; each once."""
    directories: dict[str, Path] = {}
    for directory in (Path(), table.parent, *table.absolute().parent.parents):
        directories.setdefault(os.path.realpath(directory), directory)
    return list(directories.values())


def base_of(table: Path, names: Sequence[str]) -> tuple[Path, Path | None]:
    """The directory in which most of the names exist, the first of :func:`bases` among equals; and another in which all exist, or None."""
    if all(map(os.path.isabs, names)):
        return Path(), None
    likely = [base for base in bases(table) if any(is_file(base / name) for name in names[:SAMPLE])]
    if len(likely) < 2:
        return (likely[0] if likely else Path()), None
    found = {base: sum(is_file(base / name) for name in names) for base in likely}
    likely.sort(key=lambda base: -found[base])
    return likely[0], likely[1] if found[likely[1]] == len(names) else None
