"""CryoSPARC datasets in whichever form they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from cryodedup.errors import InputError
from cryodedup.formats.cryosparc import CsdatFile, NpyFile
from cryodedup.formats.detect import kind_of

DatasetFile: TypeAlias = NpyFile | CsdatFile


def open_dataset(path: Path, threads: int = 0, progress: Callable[[int], object] | None = None) -> DatasetFile:
    """A dataset in NPY or CSDAT form, as its first bytes say; ``progress`` gets the bytes read."""
    kind = kind_of(path)
    if kind not in ("npy", "csdat"):
        raise InputError(kind="contradiction", path=path, found="another format", expected="a CryoSPARC dataset, as the group (.csg) says")
    return NpyFile.open(path, threads, progress) if kind == "npy" else CsdatFile.open(path)
