"""MRC files: the header, read and checked by mrcfile, and where the pixels stand."""

from __future__ import annotations

import os
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

import numpy as np

from cryodedup.errors import InputError

MODES = {0: "int8", 1: "int16", 2: "float32", 6: "uint16", 12: "float16"}
_BYTES = {0: 1, 1: 2, 2: 4, 6: 2, 12: 2}
_HEADER = 1024
MAX_PIXELS = 1 << 29
_PACKED = {b"\x1f\x8b": "gz", b"BZ": "bz2"}


@dataclass(frozen=True)
class MrcImage:
    """One image in an MRC file; what the core needs to stream it, and what tells whether the file has changed."""

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
        """Of its pixels."""
        return self.nx * self.ny * _BYTES[self.mode]

    @property
    def frame(self) -> tuple[Path, int, int, bool, int, int, str]:
        """For :meth:`cryodedup._core.Preparation.read`."""
        return (self.path, self.start, self.mode, self.swapped, self.nx, self.ny, self.packing)


def open_mrc(path: Path) -> MrcImage:
    """Reads and checks a header; plain, ``.gz`` or ``.bz2``, told by content.

    Raises
    ------
    InputError
        Not an MRC file, not one image of real numbers, or a file shorter than its header says.
    OSError
        The file can not be read.
    """
    stat = path.stat()
    if not S_ISREG(stat.st_mode):
        raise InputError(f"{path}: found no regular file, expected an image")
    with path.open("rb") as file:
        packing = _PACKED.get(file.read(2), "")
    header = _header(path)
    nx, ny, nz, mode = (int(header[name]) for name in ("nx", "ny", "nz", "mode"))
    if mode not in MODES:
        raise InputError(f"{path}: found mode {mode}, expected {', '.join(f'{mode} {name}' for mode, name in MODES.items())}")
    if nz != 1:
        raise InputError(f"{path}: found a movie or a stack ({nz} sections), expected one motion-corrected micrograph")
    if nx < 1 or ny < 1 or nx * ny > MAX_PIXELS:
        raise InputError(f"{path}: found {nx} x {ny} pixels, expected an image")
    start = _HEADER + int(header["nsymbt"])
    needed = start + nx * ny * _BYTES[mode]
    if start < _HEADER or (not packing and stat.st_size < needed):
        raise InputError(f"{path}: found {stat.st_size:,} bytes, expected {needed:,} as its header says; is it truncated?")
    side = float(header["cella"]["x"])
    pixel_size_a = side / int(header["mx"]) if int(header["mx"]) > 0 and np.isfinite(side) and side > 0 else None
    swapped = not header.dtype["nx"].isnative
    return MrcImage(path, start, mode, swapped, nx, ny, packing, pixel_size_a, stat.st_size, stat.st_mtime_ns)


def _header(path: Path) -> np.ndarray:
    import mrcfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with mrcfile.open(os.fspath(path), header_only=True, permissive=True) as file:
                header = file.header
                if header is None or not bytes(header["map"]).startswith(b"MAP"):
                    raise InputError(f"{path}: found no MRC header (no 'MAP' at byte 208)")
                return np.asarray(header)
    except InputError:
        raise
    except (ValueError, EOFError, OSError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split()) or "it ends too early"
        raise InputError(f"{path}: found a damaged MRC header ({reason})") from None
