"""Headers of NPY files, as CryoSPARC writes them."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np

NPY_MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 1 << 20
"""Version 4 headers pass numpy's default limit of 10,000 characters; a hostile one could ask for gigabytes."""


def check_header(file: BinaryIO, version: tuple[int, int]) -> None:
    """Raises ValueError if the header is longer than any: numpy asks for memory before it looks."""
    offset = file.tell()
    length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
    file.seek(offset)
    if length > LONGEST_HEADER:
        raise ValueError(f"{length:,} bytes long")


def npy_header(dtype: np.dtype[Any], count: int) -> bytes:
    """The NPY header of ``count`` records."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
    file = io.BytesIO()
    try:
        np.lib.format.write_array_header_1_0(file, header)
    except (ValueError, UnicodeEncodeError):  # longer than 65,535 bytes, or names that need UTF-8: version 3
        text = f"{header}\n".encode()
        text = text[:-1] + b" " * (-(len(text) + 12) % 64) + b"\n"
        return NPY_MAGIC + b"\x03\x00" + len(text).to_bytes(4, "little") + text
    return file.getvalue()
