"""Arrays in a file, by name: they are read back as they were written, or not at all."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
_CHECK = 4
"""Bytes behind the content: its CRC-32."""


def write_arrays(file: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes arrays in numpy's format, and their checksum; ``file``: open for writing and reading."""
    np.savez(file, **arrays)  # type: ignore[arg-type]
    file.seek(0)
    check = 0
    while chunk := file.read(1 << 20):
        check = zlib.crc32(chunk, check)
    file.write(check.to_bytes(_CHECK, "little"))


def read_arrays(path: Path) -> Arrays:
    """Reads such a file.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is damaged.
    """
    content = path.read_bytes()
    whole, check = content[:-_CHECK], content[-_CHECK:]
    if zlib.crc32(whole).to_bytes(_CHECK, "little") != check:
        raise ValueError("checksum")
    with np.load(io.BytesIO(whole), allow_pickle=False) as arrays:
        return dict(arrays)
