"""The micrographs of an input: their names, files, and what is known of them."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.cryosparc_output import DatasetOutput
from cryodedup.formats.cs_group import CsGroup
from cryodedup.formats.datasets import JoinedFields, open_dataset
from cryodedup.formats.detect import UnknownFormatError, kind_of
from cryodedup.formats.image_names import IMAGES, OTHERS, is_image, power_spectra
from cryodedup.formats.project import base_of, is_file
from cryodedup.formats.star import StarFile, TableColumns, group_number, open_star
from cryodedup.formats.star_output import StarOutput
from cryodedup.formats.table_output import ListOutput
from cryodedup.micrographs.acquisition import Acquisition, acquisitions_of
from cryodedup.text import count

BLOB = "micrograph_blob"
CTF = {"star": "rlnCtfMaxResolution", "cs": "ctf_stats/ctf_fit_to_A"}
PIXEL_SIZE = "rlnMicrographPixelSize"
GROUP = "rlnOpticsGroup"
MAX_NAMED = 3
TABLES = ("micrographs_ctf.star", "corrected_micrographs.star", "micrographs.star")
"""Tables of micrographs in the folders of RELION's jobs."""


@dataclass(frozen=True)
class Exposures:
    """Micrographs in input order.

    ``base``: the directory from which names are resolved; ``also``: another one in which all files exist. ``ctf_a``: resolution to which
    the CTF was fitted, Å, NaN where it is not known; None if no input gives it. ``pixel_sizes_a``: likewise, pixel sizes in the table.
    ``spectra``: number of files that are power spectra of RELION, and were left out.
    """

    label: str
    names: Sequence[str]
    paths: Sequence[Path]
    output: StarOutput | DatasetOutput | ListOutput
    base: Path = Path()
    also: Path | None = None
    ctf_a: np.ndarray | None = None
    pixel_sizes_a: np.ndarray | None = None
    acquisitions: Sequence[Acquisition] = field(default_factory=list)
    spectra: int = 0

    def __len__(self) -> int:
        return len(self.names)


def open_exposures(inputs: Sequence[Path], threads: int = 0) -> Exposures:
    """Opens one STAR file, CryoSPARC dataset or folder, or any number of image files and patterns.

    Raises
    ------
    InputError
        No such input, a missing column, a name that occurs twice, or missing files: one message counts all of them.
    """
    expanded, spectra = _expanded_all(inputs)
    if not expanded:
        inside = (item / name for item in inputs if item.is_dir() for name in TABLES)
        table = next((path for path in inside if path.is_file()), None)
        hint = f"; this folder has a table: use {table}" if table else ""
        raise InputError(
            kind="missing",
            path=", ".join(map(str, inputs)) or "input",
            found="no .mrc or .tif files",
            expected=f"a STAR file, a .cs file, a folder or images{hint}",
        )
    tables = [path for path in expanded if not (is_image(path) or _is_other(path))]
    if tables and len(expanded) > 1:
        raise InputError(
            kind="conflict", path=tables[0], found=f"a table among {len(expanded)} inputs", expected="one table, or images only"
        )
    exposures = _from_table(tables[0], threads) if tables else _from_files(expanded)
    if not len(exposures):
        raise InputError(kind="missing", path=exposures.label, found="no micrographs", expected="at least one")
    _refuse_missing(exposures)
    _refuse_repeated(exposures)
    return replace(exposures, acquisitions=acquisitions_of(exposures.paths), spectra=spectra)


def listed(inputs: Sequence[Path], threads: int = 0) -> list[Path]:
    """The files of an input that grows: those that it names and that are there, in its order; none is no error.

    Raises
    ------
    InputError
        A table that cannot be read, or a folder with images of two formats.
    """
    expanded, _ = _expanded_all(inputs)
    paths = [part for path in expanded for part in ([path] if is_image(path) or _is_other(path) else _from_table(path, threads).paths)]
    return [path for path in dict.fromkeys(paths) if is_image(path) and is_file(path)]


def _expanded_all(inputs: Sequence[Path]) -> tuple[list[Path], int]:
    """The files that inputs stand for, and the number of power spectra that are left out."""
    expanded = [path for item in inputs for path in _expanded(item)]
    spectra = power_spectra(expanded)
    return [path for path in expanded if path not in spectra], len(spectra)


def _expanded(item: Path) -> list[Path]:
    """The files that an input stands for: the images in a folder or of a pattern; if there are none, its movies, which are then refused."""
    if item.is_dir():
        there = sorted(path for path in item.iterdir() if not path.name.startswith("."))
    elif not os.path.lexists(item) and glob.has_magic(str(item)):
        there = sorted(map(Path, glob.glob(str(item), recursive=True)))  # noqa: PTH207  as typed
    else:
        return [item]
    images = [path for path in there if is_image(path)]
    _refuse_two_formats(item, images)
    return images or [path for path in there if _is_other(path)]


def _is_other(path: Path) -> bool:
    """Whether a file is a movie, a stack or a gain reference by the ending of its name."""
    return path.suffix.lower() in OTHERS


def _refuse_two_formats(item: Path, images: Sequence[Path]) -> None:
    """Refuses a micrograph that is there in two formats, or beside its movie in TIFF format: the user has to choose."""
    first: dict[str, Path] = {}
    for path in images:
        ending = max((ending for ending in IMAGES if path.name.lower().endswith(ending)), key=len)
        other = first.setdefault(str(path)[: -len(ending)], path)
        if other is not path:
            raise InputError(
                kind="ambiguous",
                path=item,
                found=f"{other.name} and {path.name}",
                expected="each micrograph in one format",
                remedy=f"select one format by a pattern, such as '{path.parent}/*{other.suffix}'",
            )


def _from_files(paths: Sequence[Path]) -> Exposures:
    names = [str(path) for path in paths]
    return Exposures(names[0] if len(names) == 1 else f"{len(names)} images", names, paths, ListOutput(names))


def _from_table(path: Path, threads: int) -> Exposures:
    kind: str
    try:
        kind = kind_of(path)
    except UnknownFormatError:
        kind = ""
    if kind == "star":
        return _from_star(path, threads)
    if kind in ("npy", "csdat", "csg"):
        return _from_dataset(path, kind)
    raise InputError(
        kind="unsupported",
        path=path,
        found="neither a STAR nor a .cs file",
        expected="micrographs.star, a .cs file of exposures, a folder, or .mrc or .tif images",
    )


def _from_star(path: Path, threads: int) -> Exposures:
    (file,) = open_star([path], numbers=(CTF["star"], PIXEL_SIZE), names=("rlnMicrographName", GROUP), threads=threads)
    table = _micrograph_table(file)
    columns = TableColumns(file, table)
    index, names = columns.names("rlnMicrographName")
    all_names = [names[i] for i in index]
    ctf = columns.numbers(CTF["star"]) if CTF["star"] in columns else None
    return replace(_located(str(path), all_names, path, StarOutput(file, table), ctf), pixel_sizes_a=_star_pixel_sizes_a(columns))


def _star_pixel_sizes_a(columns: TableColumns) -> np.ndarray | None:
    """Pixel sizes from the rows or their optics groups; that of the movies is not used, since micrographs may be binned."""
    if PIXEL_SIZE in columns:
        return columns.numbers(PIXEL_SIZE)
    if GROUP not in columns or not any(PIXEL_SIZE in row for row in columns.optics):
        return None
    of_group = {group_number(row.get(GROUP, "")): _number(row.get(PIXEL_SIZE, "")) for row in columns.optics}
    index, groups = columns.names(GROUP)
    return np.array([of_group.get(group_number(group), np.nan) for group in groups])[index]


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _micrograph_table(file: StarFile) -> _core.Table:
    tables = [table for table in file.tables if "rlnMicrographName" in table.labels]
    named = [table for table in tables if table.block == "micrographs"]
    if not tables:
        found = ", ".join(f"data_{table.block}" for table in file.tables) or "no block"
        raise InputError(
            kind="unsupported", path=file.path, found=f"no column rlnMicrographName in {found}", expected="a STAR file of micrographs"
        )
    if any("rlnCoordinateX" in table.labels for table in tables):
        raise InputError(
            kind="unsupported", path=file.path, found="particles", expected="micrographs", remedy="for particles use cryodedup particles"
        )
    return (named or tables)[0]


def _from_dataset(path: Path, kind: str) -> Exposures:
    group = CsGroup.open(path) if kind == "csg" else None
    parts = [open_dataset(part) for part in (group.files if group else [path])]
    fields = JoinedFields.of(parts, group)
    missing = next((field for field in (f"{BLOB}/path", "uid") if field not in fields), None)
    if missing is not None:
        raise InputError(kind="unsupported", path=path, found=f"no field {missing}", expected="a dataset of exposures")
    index, paths = fields.paths(f"{BLOB}/path")
    names = [paths[i] for i in index]
    ctf, sizes_a = (fields.numbers(field) if field in fields else None for field in (CTF["cs"], f"{BLOB}/psize_A"))
    output = DatasetOutput(parts, fields.orders, group, kind="exposure")
    return replace(_located(str(path), names, path, output, ctf), pixel_sizes_a=sizes_a)


def _located(label: str, names: Sequence[str], table: Path, output: StarOutput | DatasetOutput, ctf: np.ndarray | None) -> Exposures:
    """Names are relative to the project's directory."""
    base, also = base_of(table, names)
    return Exposures(label, names, [base / name for name in names], output, base, also, ctf)


def _refuse_missing(exposures: Exposures) -> None:
    # A broken link in a folder counts as an image that cannot be read.
    is_there = os.path.lexists if isinstance(exposures.output, ListOutput) else os.path.exists
    missing = [str(path) for path in exposures.paths if not is_there(path)]
    if missing:
        shown = ", ".join(missing[:MAX_NAMED]) + (f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else "")
        listed = "" if isinstance(exposures.output, ListOutput) else "; run this in the RELION (or CryoSPARC) project directory"
        stack = "; a name with @ belongs to an image in a stack, expected names of micrographs" if "@" in missing[0] else ""
        raise InputError(
            kind="missing",
            path=exposures.label,
            reason=f"{len(missing):,} of {count(len(exposures), 'micrograph')} {'is' if len(missing) == 1 else 'are'} missing: {shown}",
            remedy=f"names are relative to {os.path.realpath(exposures.base)}{listed}{stack}",
        )


def _refuse_repeated(exposures: Exposures) -> None:
    first: dict[str, str] = {}
    for name, path in zip(exposures.names, exposures.paths, strict=True):
        real = os.path.realpath(path)
        if real in first:
            raise InputError(
                kind="ambiguous",
                path=exposures.label,
                found=f"{name} twice (first as {first[real]})",
                expected="each micrograph once",
                remedy="remove one of the two",
            )
        first[real] = name
