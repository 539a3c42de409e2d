"""Opens a micrograph in a file of any supported format."""

from __future__ import annotations

from pathlib import Path
from stat import S_ISREG
from typing import TypeAlias

from cryodedup.errors import InputError
from cryodedup.formats.image_names import OTHERS, TIFF
from cryodedup.formats.mrc import MrcImage, read_mrc
from cryodedup.formats.tiff import MAGIC, TiffImage, read_tiff

Image: TypeAlias = MrcImage | TiffImage


def open_image(path: Path) -> Image:
    """Reads and checks the header of an MRC or TIFF file; its first bytes decide the format. The file is opened once.

    Raises
    ------
    InputError
        Neither format, or a movie; see also :func:`read_mrc` and :func:`read_tiff`.
    OSError
        The file cannot be read.
    """
    if not S_ISREG(path.stat().st_mode):
        raise InputError(kind="unsupported", path=path, found="no regular file", expected="an image")
    with path.open("rb") as file:
        magic = file.read(4)
        if path.suffix.lower() in (".eer", ".gain"):
            raise InputError(kind="unsupported", path=path, found=OTHERS[path.suffix.lower()], expected="a motion-corrected micrograph")
        file.seek(0)
        if magic in MAGIC:
            return read_tiff(path, file)
        if path.suffix.lower() in TIFF:
            raise InputError(kind="malformed", path=path, found="no TIFF header")
        return read_mrc(path, file)
