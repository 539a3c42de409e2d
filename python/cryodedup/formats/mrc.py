"""MRC files: the header, read and checked by mrcfile, and the position of the pixels."""

from __future__ import annotations

import bz2
import gzip
import os
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from threading import Lock
from typing import Any, BinaryIO

import numpy as np

from cryodedup import _core
from cryodedup.errors import InputError

MODES = {0: "int8", 1: "int16", 2: "float32", 6: "uint16", 12: "float16"}
_BYTES = {0: 1, 1: 2, 2: 4, 6: 2, 12: 2}
_HEADER, _NSYMBT = 1024, 92
"""Length of the header, and offset in it of the length of the extended header, bytes."""
_LONGEST_EXTENDED = 1 << 26
"""Bytes. The usual ones have up to 128 for a section."""
_INTERPRETING = Lock()
"""Held while warnings are silenced, which affects all threads."""
MAX_PIXELS = 1 << 29
_PACKED = {b"\x1f\x8b": "gz", b"BZ": "bz2"}


@dataclass(frozen=True)
class MrcImage:
    """One image in an MRC file: what the core needs to stream it, and size and modification time, to detect a changed file."""

    path: Path
    start: int
    mode: int
    swapped: bool
    nx: int
    ny: int
    packing: str
    pixel_size_a: float | None
    size: int
    mtime_ns: int

    @property
    def bytes(self) -> int:
        """Number of bytes of the pixels."""
        return self.nx * self.ny * _BYTES[self.mode]

    @property
    def frame(self) -> _core.Frame:
        """The frame from which the core streams the pixels."""
        where: dict[str, int] = {"start": self.start, "mode": self.mode, "nx": self.nx, "ny": self.ny}
        return _core.Frame(self.path, **where, swapped=self.swapped, packing=self.packing)


def open_mrc(path: Path) -> MrcImage:
    """Reads and checks the header of a plain, gzip or bzip2 file; its content decides which.

    Raises
    ------
    InputError
        Not an MRC file, not one image of real numbers, or a file shorter than its header says.
    OSError
        The file cannot be read.
    """
    if not S_ISREG(path.stat().st_mode):
        raise InputError(kind="unsupported", path=path, found="no regular file", expected="an image")
    with path.open("rb") as file:
        return read_mrc(path, file)


def read_mrc(path: Path, file: BinaryIO) -> MrcImage:
    """As :func:`open_mrc`, for a regular file that is already open, at its first byte."""
    stat = os.fstat(file.fileno())
    packing = _PACKED.get(file.read(2), "")
    file.seek(0)
    header = _header(path, file, packing)
    nx, ny, nz, mode = (int(header[name]) for name in ("nx", "ny", "nz", "mode"))
    if mode not in MODES:
        raise InputError(
            kind="unsupported", path=path, found=f"mode {mode}", expected=", ".join((f"{mode} {name}" for mode, name in MODES.items()))
        )
    if nz != 1:
        raise InputError(
            kind="unsupported", path=path, found=f"a movie or a stack ({nz} sections)", expected="one motion-corrected micrograph"
        )
    if nx < 1 or ny < 1 or nx * ny > MAX_PIXELS:
        raise InputError(kind="malformed", path=path, found=f"{nx} x {ny} pixels", expected="an image")
    if int(header["nsymbt"]) > _LONGEST_EXTENDED:
        raise InputError(
            kind="malformed",
            path=path,
            found=f"an extended header of {int(header['nsymbt']):,} bytes",
            expected=f"at most {_LONGEST_EXTENDED:,}",
        )
    start = _HEADER + int(header["nsymbt"])
    needed = start + nx * ny * _BYTES[mode]
    if start < _HEADER or (not packing and stat.st_size < needed):
        raise InputError(
            kind="truncated",
            path=path,
            found=f"{stat.st_size:,} bytes",
            expected=f"{needed:,} as its header says",
            remedy="is it truncated?",
        )
    swapped = not header.dtype["nx"].isnative
    return MrcImage(path, start, mode, swapped, nx, ny, packing, _pixel_size_a(header), stat.st_size, stat.st_mtime_ns)


def _pixel_size_a(header: np.ndarray) -> float | None:
    side, pixels = float(header["cella"]["x"]), int(header["mx"])
    return side / pixels if pixels > 0 and np.isfinite(side) and side > 0 else None


def _header(path: Path, file: BinaryIO, packing: str) -> np.ndarray:
    """The header as interpreted by mrcfile, which finds the byte order even if the machine stamp is wrong."""
    import mrcfile.mrcinterpreter

    try:
        content = _unpacked(file, packing).read(_HEADER)
        without_extended = content[:_NSYMBT] + bytes(4) + content[_NSYMBT + 4 :]
        with _INTERPRETING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = mrcfile.mrcinterpreter.MrcInterpreter(BytesIO(without_extended), permissive=True, header_only=True).header
        if header is None or not bytes(header["map"]).startswith(b"MAP"):
            raise InputError(kind="malformed", path=path, found="no MRC header (no 'MAP' at byte 208)")
        interpreted: np.ndarray = np.frombuffer(content, header.dtype)[0]
        return interpreted
    except InputError:
        raise
    except (ValueError, EOFError, OSError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split()) or "the file ends too early"
        raise InputError(kind="malformed", path=path, found=f"a damaged MRC header ({reason})") from None


def _unpacked(file: BinaryIO, packing: str) -> Any:
    if packing == "gz":
        return gzip.GzipFile(fileobj=file, mode="rb")
    return bz2.BZ2File(file) if packing == "bz2" else file
