"""What an input is, and the opening of STAR files of particles and picks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats import cryosparc as cs
from cryodedup.formats.star import StarFile, has_coordinates, open_star
from cryodedup.particles.inputs import relion

if TYPE_CHECKING:
    from cryodedup.params import ParticleParams

INDEX = ("rlnMicrographCoordinates",)
CBOX = ("CoordinateX", "CoordinateY", "CoordinateZ", "Width", "Height", "Depth")


def kind_of(path: Path) -> str:
    """What an input is, by its content: its suffix says nothing, except for files of plain numbers."""
    if os.path.isdir(path):  # noqa: PTH112  unlike Path's, never raises
        return "folder"
    try:
        regular = path.is_file() or not path.exists()
    except (OSError, ValueError):
        regular = True  # opening it says why not
    if not regular:
        raise InputError(f"{path}: found neither a file nor a folder")
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except ValueError:  # a zero byte in the name, as a group may give it
        raise InputError(f"{str(path)!r}: found a name that no file can have") from None
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or 'unreadable').lower()}") from None
    magic = {cs.NPY_MAGIC: "npy", cs.CSDAT_MAGIC: "csdat"}.get(head[:6])
    if magic:
        return magic
    if head.startswith(cs.PARQUET_MAGIC):
        raise InputError(f"{path}: found a Parquet file, expected NPY or CSDAT: export the dataset from a released CryoSPARC version")
    if head.startswith((b"\x1f\x8b", b"BZh")):
        raise InputError(f"{path}: found a compressed file, expected it unpacked")
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise InputError(f"{path}: found a pickle, which is never read, as it could run any program")
    lines = (line.strip() for line in head.removeprefix(b"\xef\xbb\xbf").splitlines())
    first = next((line for line in lines if line and not line.startswith(b"#")), b"")
    if first.startswith(b"data_"):
        return "star"
    if path.suffix == ".csg" or re.match(rb"(created|group|results|version):", first):
        return "csg"
    if first.startswith(b"image_name"):
        return "topaz"
    if path.suffix == ".box" or (len(first.split()) >= 4 and all(_is_number(cell) for cell in first.split())):
        return "box"
    shown = first[:40].decode("utf-8", "replace")
    raise InputError(f"{path}: found {shown!r} at its start, expected STAR, .cs, .csg, .box, .cbox or Topaz .txt")


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def open_stars(paths: Sequence[Path], params: ParticleParams, progress: Callable[[int], object] | None = None) -> list[StarFile]:
    """Scans STAR files of any kind for all that may be asked for."""
    numbers = [*relion.numbers(params), *CBOX, *cbox_scores(params)]
    return open_star(
        paths, numbers=numbers, names=(*relion.NAMES, *INDEX), varying=relion.ANGLES, threads=params.threads, progress=progress
    )


def cbox_scores(params: ParticleParams) -> list[str]:
    """The column of a .cbox file that is its score."""
    return ["Confidence"] if params.score_field == "auto" else [params.score_field.lstrip("_")]


def has_picks_of_one_micrograph(file: StarFile) -> bool:
    """Whether a file has picks of a micrograph that it does not name: a .cbox, or one of RELION's coordinate files."""
    tables = [table for table in file.tables if has_coordinates(table.labels)]
    return file.find("cryolo") is not None or (
        len(tables) == 1 and tables[0].block == "" and not set(relion.MICROGRAPH_NAMES) & set(tables[0].labels)
    )


def particle_table(file: StarFile) -> _core.Table:
    """The one table with coordinates."""
    tables = [table for table in file.tables if has_coordinates(table.labels)]
    named = [table for table in tables if table.block == "particles"]
    if len(tables) == 1 or len(named) == 1:
        return (named or tables)[0]
    if tables:
        blocks = ", ".join(f"data_{table.block}" for table in tables)
        raise InputError(f"{file.path}: found {len(tables)} tables with coordinates ({blocks}), expected 1, or 1 named data_particles")
    blocks = ", ".join(f"data_{table.block}" for table in file.tables)
    raise InputError(f"{file.path}: found no location columns in {blocks}, expected rlnCoordinateX and rlnCoordinateY")
