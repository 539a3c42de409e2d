"""Micrographs in TIFF files, read by tifffile (extra ``[tiff]``).

The first row of a TIFF file is the top of the image, that of an MRC file the bottom. IMOD reverses the rows when it reads a TIFF file
(``ReadSection`` in ``libiimod/iitif.c``: row = ysize - 1 - y), and so do MotionCor2 and RELION, "regardless of the TIFFTAG_ORIENTATION"
(RELION's manual, Reference, Conventions; ``rwTIFF.h``). So does this module: shifts have the same sign as for MRC files.
"""

from __future__ import annotations

import errno
import logging
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import InputError, MissingPackageError
from cryodedup.formats.mrc import MAX_PIXELS

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_EER = (65000, 65001, 65002)
_MAX_PAGES = 10_000
"""A damaged file can have pages without end, each of which leads to one before it."""
_ANGSTROM = {2: 2.54e8, 3: 1e8}
"""Å per unit of resolution, by its TIFF code: inch, cm."""
_PLAUSIBLE_A = (0.05, 50.0)
"""Range of plausible pixel sizes, Å; the 72 dots per inch that many programs write are outside."""


@dataclass(frozen=True)
class TiffImage:
    """A TIFF file of one image; ``itemsize``: bytes per pixel; ``size`` and ``mtime_ns``: to detect a changed file."""

    path: Path
    nx: int
    ny: int
    itemsize: int
    pixel_size_a: float | None
    size: int
    mtime_ns: int

    @property
    def bytes(self) -> int:
        """Number of bytes of the pixels, decompressed."""
        return self.nx * self.ny * self.itemsize

    def read(self) -> NDArray[np.float32]:
        """Reads the pixels, shape (ny, nx), the bottom row first as in an MRC file.

        Raises
        ------
        InputError
            The file is damaged, or its size in pixels has changed since it was opened.
        OSError
            The file cannot be read.
        """
        with _opened(self.path) as file:
            pixels = file.pages[0].asarray(maxworkers=1)
        if pixels.shape != (self.ny, self.nx):
            raise InputError(
                kind="contradiction",
                path=self.path,
                found=f"{pixels.shape}",
                expected=f"{(self.ny, self.nx)}",
                remedy="was the file changed during the run?",
            )
        return np.ascontiguousarray(pixels[::-1], np.float32)


def open_tiff(path: Path) -> TiffImage:
    """Opens a TIFF file, and reads and checks its header; see :func:`read_tiff`."""
    with path.open("rb") as file:
        return read_tiff(path, file)


def read_tiff(path: Path, file: BinaryIO) -> TiffImage:
    """Reads and checks the header of a TIFF file that is already open, at its first byte.

    Raises
    ------
    MissingPackageError
        tifffile is not installed, or the compression needs imagecodecs.
    InputError
        A movie, a colour image, a damaged or truncated file.
    OSError
        The file cannot be read.
    """
    stat = os.fstat(file.fileno())
    with _opened(path, file) as tiff:
        page = tiff.pages[0]
        if page.compression in _EER:
            raise InputError(
                kind="unsupported",
                path=path,
                found=f"an EER movie of {len(_pages(path, tiff)):,} frames",
                expected="a motion-corrected micrograph",
            )
        own = sum(not page.is_reduced for page in _pages(path, tiff))
        frames = max(own, int((tiff.imagej_metadata or {}).get("images", 1)))
        if frames > 1:
            raise InputError(kind="unsupported", path=path, found=f"a movie of {frames:,} frames", expected="a motion-corrected micrograph")
        _check(path, page, stat.st_size)
        return TiffImage(path, page.imagewidth, page.imagelength, page.dtype.itemsize, _pixel_size_a(page), stat.st_size, stat.st_mtime_ns)


def _pages(path: Path, tiff: Any) -> list[Any]:
    """All pages of a file."""
    pages = list(islice(tiff.pages, _MAX_PAGES + 1))
    if len(pages) > _MAX_PAGES:
        raise InputError(
            kind="malformed", path=path, found=f"more than {_MAX_PAGES:,} pages", expected="one image", remedy="is it damaged?"
        )
    return pages


_OF_THE_CONTENT = {None, errno.EINVAL, errno.EOVERFLOW}
"""Errors of the system that a place in a damaged file leads to, which no file has."""


class _opened:  # noqa: N801  a context manager
    """An open TIFF file (``file``: if it is already open); errors in its content become InputErrors."""

    def __init__(self, path: Path, file: BinaryIO | None = None) -> None:
        self.path = path
        self.source = os.fspath(path) if file is None else file
        self.tifffile = _tifffile(path)

    def __enter__(self) -> Any:
        try:
            # Without the rules of OME and Micro-Manager, which may open further files.
            self.file = self.tifffile.TiffFile(self.source, is_ome=False, is_mmstack=False)
        except Exception as error:
            self._translate(error)
            raise
        return self.file

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.file.close()
        if isinstance(error, Exception):
            self._translate(error)

    def _translate(self, error: Exception) -> None:
        if isinstance(error, InputError) or (isinstance(error, OSError) and error.errno not in _OF_THE_CONTENT):
            return
        reason = _shown(str(error)) or type(error).__name__
        raise InputError(kind="malformed", path=self.path, found=f"a damaged TIFF file ({reason})") from None


def _shown(reason: str) -> str:
    """A reason of tifffile's in one line: some hold all tags of a file."""
    return " ".join(reason.split())[:200]


def _tifffile(path: Path) -> Any:
    try:
        import tifffile
    except ImportError:
        raise MissingPackageError(
            kind="missing", path=path, found="a TIFF file, which needs tifffile", remedy="pip install 'cryodedup[tiff]'"
        ) from None
    # It logs oddities of a file; without a handler Python would print these.
    logger = logging.getLogger("tifffile")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return tifffile


def _check(path: Path, page: Any, size: int) -> None:
    nx, ny = page.imagewidth, page.imagelength
    if page.samplesperpixel != 1 or page.imagedepth != 1:
        raise InputError(
            kind="unsupported",
            path=path,
            found=f"{page.samplesperpixel} x {page.imagedepth} values per pixel",
            expected="one: no colours, no volume",
        )
    if page.dtype is None or page.dtype.kind not in "iuf":
        raise InputError(kind="unsupported", path=path, found=f"pixels of type {page.dtype or 'unknown'}", expected="real numbers")
    if nx < 1 or ny < 1 or nx * ny > MAX_PIXELS:
        raise InputError(kind="malformed", path=path, found=f"{nx} x {ny} pixels", expected="an image")
    if min((*page.dataoffsets, *page.databytecounts), default=0) < 0:
        raise InputError(kind="malformed", path=path, found="a pixel offset before the beginning of the file", remedy="is it damaged?")
    needed = max((start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False)), default=0)
    if needed > size:
        raise InputError(
            kind="truncated",
            path=path,
            found=f"{size:,} bytes",
            expected=f"at least {needed:,} as its header says",
            remedy="is it truncated?",
        )
    stored, pixels = sum(page.databytecounts), -(-nx * ny * page.bitspersample // 8)
    if page.compression == 1 and stored < pixels:
        raise InputError(
            kind="malformed",
            path=path,
            found=f"{stored:,} bytes of pixels",
            expected=f"{pixels:,} for {nx} x {ny}",
            remedy="is it damaged?",
        )
    # tifffile takes a part that is missing for zeros.
    parts, found = _parts(page), sum(count > 0 for count in page.databytecounts)
    if found < parts:
        raise InputError(
            kind="malformed",
            path=path,
            found=f"{found:,} strips or tiles",
            expected=f"{parts:,} for {nx} x {ny} pixels",
            remedy="is it damaged?",
        )
    _check_codecs(path, page)


def _parts(page: Any) -> int:
    """Number of the strips or tiles that make up a page."""
    if page.is_tiled:
        return int(-(-page.imagewidth // max(page.tilewidth, 1)) * -(-page.imagelength // max(page.tilelength, 1)))
    return int(-(-page.imagelength // max(page.rowsperstrip, 1)))


def _check_codecs(path: Path, page: Any) -> None:
    from tifffile import TIFF

    for codecs, code in ((TIFF.DECOMPRESSORS, page.compression), (TIFF.UNPREDICTORS, page.predictor)):
        try:
            codecs[code]
        except KeyError as error:
            text = str(error.args[0])
            if "imagecodecs" not in text:
                raise InputError(kind="unsupported", path=path, found=f"a compression that is not supported ({_shown(text)})") from None
            raise MissingPackageError(
                kind="missing", path=path, found=f"{code.name} compression, which needs imagecodecs", remedy="pip install imagecodecs"
            ) from None


def _pixel_size_a(page: Any) -> float | None:
    """The pixel size from the resolution in the header, if it is plausible for a micrograph."""
    tags = page.tags
    unit = _ANGSTROM.get(int(tags["ResolutionUnit"].value)) if "ResolutionUnit" in tags else None
    if unit is None or "XResolution" not in tags:
        return None
    dots, of = tags["XResolution"].value
    size = unit * of / dots if dots else 0.0
    return size if _PLAUSIBLE_A[0] <= size <= _PLAUSIBLE_A[1] else None
