"""CryoSPARC's CSDAT streams, read by cryosparc-tools once it is certain that this cannot end the process.

The library's compiled part crashes on many damaged streams (12 of 24 truncated ones, 244 of 3,000 with changed bytes), and takes names from
beyond their end. So the lengths in the stream are compared with the file, and then it is read by another process first, which may crash.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cryodedup.errors import InputError, MissingPackageError

MAGIC = b"\x95CSDAT"
_MAX_EXPANSION = 256
"""No column is longer than so many times its compressed bytes: the limit of LZ4 is 255."""
_TRY = """
import json
import sys
import numpy as np
from cryosparc.dataset import Dataset
path, length, names = json.load(sys.stdin)
dataset = Dataset.load(path, cstrs=True)
columns = getattr(dataset, "_data", None)  # names as offsets in what follows the columns
for name in names if hasattr(columns, "getbuf") else ():
    offsets = np.frombuffer(columns.getbuf(name) or b"", np.uint64)
    if len(offsets) and int(offsets.max()) >= length:
        sys.exit(f"{name} begins beyond the end")
dataset.to_pystrs()
"""


def load(path: Path) -> Any:
    """The ``cryosparc.dataset.Dataset`` of a stream.

    Raises
    ------
    MissingPackageError
        The extra ``[cryosparc]`` is not installed.
    InputError
        The stream is truncated or damaged.
    """
    try:
        from cryosparc.dataset import Dataset
    except ImportError:
        raise MissingPackageError(
            kind="missing",
            path=path,
            found="a .cs file in CSDAT form, which needs cryosparc-tools",
            remedy="pip install 'cryodedup[cryosparc]'",
        ) from None
    _try_elsewhere(path, *_check_lengths(path))
    return Dataset.load(path)


def _check_lengths(path: Path) -> tuple[int, list[str]]:
    """How many bytes of names there are, and the columns of names."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            return _follow(file, size)
        except (ValueError, KeyError, TypeError, struct.error, RecursionError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                kind="malformed", path=path, found=f"a damaged CSDAT stream ({reason})", expected="a CryoSPARC dataset"
            ) from None


def _follow(file: BinaryIO, size: int) -> tuple[int, list[str]]:
    """Raises ValueError, or what its parts raise, unless the stream's lengths lead to its names, which zero bytes end."""
    file.seek(len(MAGIC))
    header = json.loads(file.read(_length(file, size)))
    rows, fields = header["length"], header["dtype"]
    if not isinstance(rows, int) or rows < 0:
        raise ValueError(f"a length of {rows!r}")
    for name, dtype, *shape in fields if rows else []:
        columns = int(np.prod(shape[0])) if shape else 1
        expected = rows * columns * (8 if dtype == "|O" else np.dtype(dtype).itemsize)
        found = _length(file, size)
        limit = _MAX_EXPANSION if name in header["compressed_fields"] else 1
        if found * limit < expected or (limit == 1 and found != expected):
            raise ValueError(f"{found:,} bytes of {name} do not fit {expected:,} bytes of data")
        file.seek(found, os.SEEK_CUR)
    names = size - file.tell()
    if names:
        file.seek(size - 1)
        if file.read(1) != b"\0":
            raise ValueError("a name without an end; is it truncated?")
    return names, [name for name, dtype, *_ in fields if dtype == "|O"]


def _length(file: BinaryIO, size: int) -> int:
    """The length that stands next, of what follows it."""
    (length,) = struct.unpack("<I", file.read(4))
    if length > size - file.tell():
        raise ValueError(f"{size:,} bytes, but {file.tell() + length:,} are needed; is it truncated?")
    return int(length)


def _try_elsewhere(path: Path, length: int, names: list[str]) -> None:
    if not sys.executable:  # Python runs inside another program
        return
    tried = subprocess.run(
        [sys.executable, "-c", _TRY], input=json.dumps([str(path), length, names]).encode(), capture_output=True, check=False
    )
    if tried.returncode:
        lines = tried.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = "it crashes the reader" if tried.returncode < 0 or not lines else lines[-1][:200]
        raise InputError(kind="malformed", path=path, found=f"a damaged CSDAT stream ({reason})", expected="a CryoSPARC dataset")
