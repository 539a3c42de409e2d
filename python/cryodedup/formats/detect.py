"""What a file is, by its content; its suffix decides only between tables of plain numbers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

from cryodedup.errors import USERS_FAULT, InputError
from cryodedup.formats.csdat import MAGIC as CSDAT_MAGIC
from cryodedup.formats.npy import NPY_MAGIC


def head_of(path: Path) -> tuple[int, int, str]:
    """Where the rows of a table begin, the line of its head, and that: the first line that is neither empty nor a comment."""
    start, line, head = 0, 0, b""
    with path.open("rb") as file:
        for head in file:
            start, line = start + len(head), line + 1
            if head.strip() and not head.startswith(b"#"):
                break
    return start, line, head.decode("utf-8-sig", "replace")


Kind = Literal["folder", "npy", "csdat", "star", "csg", "topaz", "csv", "box", "dynamo", "points"]

HEAD = 1 << 16
DYNAMO_COLUMNS = 26
"""A Dynamo table ends at the earliest with z, its 26th column."""
POINTS = {3: "x y z", 4: "contour x y z", 5: "object contour x y z"}
READABLE = (
    "RELION or STOPGAP .star, CryoSPARC .cs or .csg, crYOLO .cbox, EMAN .box, Topaz .txt, .csv (commas) with columns micrograph, x and y,"
    " Dynamo .tbl, or IMOD points (x y z)"
)
_REFUSED = {
    b"PAR1": "a Parquet file, expected NPY or CSDAT: export the dataset from a released CryoSPARC version",
    b"\x1f\x8b": "a compressed file, expected an uncompressed one",
    b"BZh": "a compressed file, expected an uncompressed one",
    b"\x80\x02": "a pickle, which is never read, as it could run any program",
    b"\x80\x03": "a pickle, which is never read, as it could run any program",
    b"\x80\x04": "a pickle, which is never read, as it could run any program",
    b"\x80\x05": "a pickle, which is never read, as it could run any program",
    b"SQLite format 3": "an SQLite database, as Scipion keeps its picks: export them as STAR first",
    b"\x89HDF": "an HDF5 file, expected picks: export them as .star, .box or .cbox first",
}
_IMAGES = {b"II*\0": "a TIFF image", b"MM\0*": "a TIFF image", b"II+\0": "a TIFF image or an EER movie"}


class UnknownFormatError(InputError):
    """A file that can be read, but has no known format; the message says what was found, and what to do."""


def kind_of(path: Path) -> Kind:
    """The kind of an input.

    Raises
    ------
    UnknownFormatError
        No format that is read.
    InputError
        No such file, or one that can not be opened.
    """
    if os.path.isdir(path):  # noqa: PTH112  unlike Path's, never raises
        return "folder"
    head = _head(path)
    if head[:6] in (NPY_MAGIC, CSDAT_MAGIC):
        return "npy" if head[:6] == NPY_MAGIC else "csdat"
    _refuse_foreign(path, head)
    lines = _lines(head)
    first = next(lines, b"")
    if first.startswith(b"data_"):
        return "star"
    if path.suffix == ".csg" or re.match(rb"(created|group|results|version):", first):
        return "csg"
    if b"," in first and path.suffix.lower() in (".csv", ".txt") and not _are_numbers(first):
        return "csv"
    if first.startswith(b"image_name"):
        return "topaz"
    if path.suffix.lower() == ".tbl":
        return "dynamo"
    if path.suffix.lower() == ".box":
        return "box"
    if not first:
        raise UnknownFormatError(kind="malformed", path=path, found="an empty file", expected=READABLE)
    return _kind_of_numbers(path, [first, *lines])


def _head(path: Path) -> bytes:
    try:
        regular = path.is_file() or not path.exists()
    except (OSError, ValueError):
        regular = True  # opening it says why not
    if not regular:
        raise InputError(kind="unsupported", path=path, found="neither a file nor a folder")
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        if error.errno not in USERS_FAULT:
            raise
        raise InputError(kind="missing", path=path, reason=(error.strerror or "unreadable").lower()) from None
    except ValueError:  # a zero byte in the name, as a group may give it
        raise InputError(kind="malformed", path=repr(str(path)), found="a name that no file can have") from None


def _refuse_foreign(path: Path, head: bytes) -> None:
    """Refuses files of other kinds by their first bytes."""
    found = next((text for magic, text in _REFUSED.items() if head.startswith(magic)), None)
    if found is not None:
        raise UnknownFormatError(kind="unsupported", path=path, found=found)
    if head.startswith(b"IMODV1"):
        raise UnknownFormatError(
            kind="unsupported", path=path, found="an IMOD model", expected=f"its points as text: model2point {path.name} points.txt"
        )
    if head.startswith(b"CCC,"):
        raise UnknownFormatError(
            kind="unsupported",
            path=path,
            found="a motive list of PEET, which contains offsets from model points, not positions",
            expected=READABLE,
        )
    if path.suffix.lower() in (".em", ".tblb"):
        raise UnknownFormatError(
            kind="unsupported", path=path, found=f"a binary {path.suffix.lower()} file, which is not read", expected=READABLE
        )
    image = "an MRC image" if head[208:212] == b"MAP " else _IMAGES.get(head[:4])
    if image is not None:
        raise UnknownFormatError(
            kind="unsupported",
            path=path,
            found=image,
            expected=f"picks or particles ({READABLE})",
            remedy=f"to compare images, use cryodedup micrographs {path.name}",
        )
    if head.lstrip()[:1] in (b"<", b"{") and path.suffix.lower() in (".xml", ".xmd", ".json"):
        raise UnknownFormatError(kind="unsupported", path=path, found=f"{path.suffix[1:].upper()}, which is not read", expected=READABLE)


def _lines(head: bytes) -> Iterator[bytes]:
    """The lines of a text that are not blank and no comments, the last of a long file left out since it may be cut."""
    text = head.removeprefix(b"\xef\xbb\xbf")
    whole = text[: text.rfind(b"\n") + 1] if len(head) == HEAD else text
    lines = (match.group().strip() for match in re.finditer(rb"[^\r\n]+", whole))  # one by one: most often the first is enough
    return (line for line in lines if line and not line.startswith(b"#"))


def _kind_of_numbers(path: Path, lines: Sequence[bytes]) -> Kind:
    """Plain numbers are only known as points if a suffix says so; anything else is refused."""
    rows = [line.split() for line in lines]
    if not all(_is_number(cell) for cell in rows[0]):
        if b"," in lines[0] and _are_numbers(lines[0]):
            raise UnknownFormatError(
                kind="ambiguous",
                path=path,
                found=(
                    "numbers separated by commas; PEET, emClarity, cisTEM and EPicker write such files, each with"
                    " different columns and units"
                ),
                expected=READABLE,
            )
        shown = lines[0][:40].decode("utf-8", "replace")
        raise UnknownFormatError(kind="unsupported", path=path, found=f"{shown!r} at its start", expected=READABLE)
    columns = len(rows[0])
    if columns >= DYNAMO_COLUMNS:
        raise UnknownFormatError(
            kind="ambiguous",
            path=path,
            found=f"rows of {columns} numbers, which may be a Dynamo or an emClarity table",
            remedy="rename a Dynamo table to NAME.tbl",
        )
    could_be = _could_be(rows)
    if could_be == [POINTS.get(columns)]:
        return "points"
    raise UnknownFormatError(
        kind="ambiguous",
        path=path,
        found=f"rows of {columns} numbers, which could be {' or '.join(could_be) or 'from many programs'}",
        expected="IMOD points (x y z, contour x y z, or object contour x y z), or EMAN boxes in a file NAME.box",
    )


def _could_be(rows: Sequence[Sequence[bytes]]) -> list[str]:
    """Returns what the first rows of numbers could mean."""
    columns = len(rows[0])
    if columns not in (2, 3, 4, 5) or any(len(row) != columns or not all(map(_is_number, row)) for row in rows):
        return []
    values = list(zip(*([float(cell) for cell in row] for row in rows), strict=True))
    found = []
    if columns >= 3 and _are_numbered(list(zip(*values[: columns - 3], strict=True))):
        found.append(POINTS[columns])
    if columns == 2:
        found.append("x y")
    if columns == 3 and all(0 <= value <= 1 for value in values[2]) and len(set(values[2])) > 1:
        found.append("x y score")
    if columns in (4, 5) and all(value > 0 and value.is_integer() for column in values[2:4] for value in column) and _is_one(values[2:4]):
        found.append("EMAN boxes (x y width height)")
    return found


def _are_numbered(rows: Sequence[tuple[float, ...]]) -> bool:
    """Objects and contours are counted from 0 or 1, in order; contours start again in each object."""
    whole = all(value.is_integer() for row in rows for value in row)
    begins = not rows or all(value in (0, 1) for value in rows[0])
    return whole and begins and all(a <= b for a, b in pairwise(rows))


def _is_one(columns: Sequence[Sequence[float]]) -> bool:
    return all(len(set(column)) == 1 for column in columns)


def _are_numbers(line: bytes) -> bool:
    """Whether all that commas separate are numbers."""
    return all(_is_number(cell) for cell in line.split(b",") if cell.strip())


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return b"_" not in cell
