"""What ``--micrographs`` gives: pixel sizes and extents, of micrographs or tomograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryodedup.errors import InputError
from cryodedup.formats.cryosparc import unpack
from cryodedup.formats.cs_group import CsGroup
from cryodedup.formats.datasets import JoinedFields, open_dataset
from cryodedup.formats.detect import kind_of
from cryodedup.formats.star import StarFile, group_number, has_coordinates, open_star
from cryodedup.names import named
from cryodedup.params import Match
from cryodedup.particles.inputs.identity import same_as
from cryodedup.particles.inputs.micrograph_names import Directory, normalised_path
from cryodedup.particles.inputs.picks import Micrograph, Picks, first_of_each
from cryodedup.particles.inputs.relion_pixels import GROUP, OF_MICROGRAPH, OF_TILT_SERIES, check_optics, positive

OPTION = named("micrographs")
SIZES = "rlnTomoSizeX", "rlnTomoSizeY", "rlnTomoSizeZ"
TOMOGRAM_BINNING = "rlnTomoTomogramBinning"


@dataclass(frozen=True, kw_only=True)
class MicrographTable:
    """Micrographs, or tomograms.

    Attributes
    ----------
    sizes_a
        Pixel size of each, Å; of a tomogram that of the unbinned tilt series.
    binnings
        By how much a reconstructed tomogram is binned, NaN where that is not known.
    extents_a
        Width and height, and of tomograms depth, Å; None where that is not known.
    tomograms
        Whether these are tomograms.
    """

    path: Path
    micrographs: Sequence[Micrograph]
    sizes_a: Sequence[float]
    binnings: Sequence[float]
    extents_a: Sequence[tuple[float, ...] | None]
    tomograms: bool

    def __post_init__(self) -> None:
        """Refuses a micrograph that is listed with two sizes."""
        listed: dict[object, tuple[float, object]] = {}
        for micrograph, size, extent in zip(self.micrographs, self.sizes_a, self.extents_a, strict=True):
            found = listed.setdefault(micrograph.uid or micrograph.name, (size, extent))
            if found != (size, extent):
                raise InputError(
                    kind="contradiction",
                    path=self.path,
                    field=OPTION,
                    found=f"{micrograph.name} twice, with {found[0]:g} Å and {size:g} Å a pixel or other extents",
                    expected="one",
                )

    def size_of(self, row: int, micrograph: Micrograph) -> float:
        """The pixel size of one here for a micrograph of an input, which may be binned otherwise, Å."""
        extent = self.extents_a[row]
        return self.sizes_a[row] if extent is None or micrograph.sides_px is None else extent[0] / micrograph.sides_px[0]

    def rows_of(self, picks: Picks, match: Match) -> tuple[list[int | None], list[str]]:
        """For each micrograph of an input its row here, None if there is none; and warnings. Not every table has uids.

        Raises
        ------
        InputError
            The rows that fit a micrograph have different pixel sizes; or the table is of another job of RELION, which may have binned the
            same micrographs differently.
        """
        found, warnings = same_as(picks.label, picks.micrographs, str(self.path), self.micrographs, "auto" if match == "uid" else match)
        for one, rows in zip(picks.micrographs, found, strict=True):
            if len({self.sizes_a[row] for row in rows}) > 1:
                several = " and ".join(f"{self.micrographs[row].name} ({self.sizes_a[row]:g} Å)" for row in rows[:2])
                raise InputError(
                    kind="contradiction",
                    path=self.path,
                    field=OPTION,
                    found=f"{several} for {one.name} of {picks.label}",
                    expected="one pixel size",
                )
        paired = [(one, rows[0]) for one, rows in zip(picks.micrographs, found, strict=True) if rows]
        other = next(((one, row) for one, row in paired if self.extents_a[row] is None and _of_other_job(one, self.micrographs[row])), None)
        if other is not None:
            warnings.append(self._of_other_images(picks.label, *other, match))
        return [rows[0] if rows else None for rows in found], warnings

    def _of_other_images(self, label: str, one: Micrograph, row: int, match: Match) -> str:
        """A warning that the sizes here are of other images than those that the coordinates are counted on; or the error."""
        here, job = self.micrographs[row].name, _directory(one).job
        if match != "auto" or not _directory(self.micrographs[row]).job:
            return (
                f"its coordinates are in pixels of {one.name}, but {self.path} gives the pixel size of {here}, which may be binned"
                f" differently: used are {self.sizes_a[row]:g} Å; if that is wrong, give the table of {job}"
            )
        raise InputError(
            kind="contradiction",
            path=self.path,
            field=OPTION,
            found=f"the micrographs of {_directory(self.micrographs[row]).job}",
            expected=(
                f"those of {job}, such as {one.name}: the coordinates of {label} are in pixels of these, and the two"
                " jobs may bin differently"
            ),
            remedy=f"give the table of {job}, or {named('match', 'name')} if their pixel sizes are equal",
        )


def _directory(micrograph: Micrograph) -> Directory:
    return Directory.of(normalised_path(micrograph.name).rpartition("/")[0])


def _of_other_job(one: Micrograph, here: Micrograph) -> bool:
    """Whether a job of RELION wrote the first, and something else the second, as far as the paths say."""
    mine, theirs = _directory(one), _directory(here)
    return bool(one.uid is None and mine.job and mine.job != theirs.job and (theirs.job or theirs.tail))


def read_micrographs(path: Path) -> MicrographTable:
    """From RELION's ``micrographs.star`` (through its optics groups) or ``tomograms.star``, or CryoSPARC's exposures."""
    try:
        kind = kind_of(path)
    except InputError as error:
        raise error.but(field=OPTION) from None
    if kind == "star":
        (file,) = open_star([path])
        return _of_tomograms(file) if _tomogram_table(file) is not None else _of_star(file)
    if kind in ("npy", "csdat", "csg"):
        group = CsGroup.open(path) if kind == "csg" else None
        return _of_cs(path, JoinedFields.of([open_dataset(part) for part in (group.files if group else [path])], group))
    raise InputError(kind="unsupported", path=path, field=OPTION, found="neither a STAR file nor a CryoSPARC dataset")


def _tomogram_table(file: StarFile) -> object | None:
    return next((table for table in file.tables if "rlnTomoName" in table.labels and not has_coordinates(table.labels)), None)


def _of_tomograms(file: StarFile) -> MicrographTable:
    table = next(table for table in file.tables if "rlnTomoName" in table.labels)
    rows = file.rows(table)
    sizes = [_size_of(file.path, row, {}, "tomogram", row["rlnTomoName"]) for row in rows]
    binnings = [
        positive(str(file.path), TOMOGRAM_BINNING, row[TOMOGRAM_BINNING], "number") if TOMOGRAM_BINNING in row else np.nan for row in rows
    ]
    return MicrographTable(
        path=file.path,
        micrographs=[Micrograph(name=row["rlnTomoName"]) for row in rows],
        sizes_a=sizes,
        binnings=binnings,
        extents_a=[_tomogram_extent(row, size) for row, size in zip(rows, sizes, strict=True)],
        tomograms=True,
    )


def _tomogram_extent(row: dict[str, str], size_a: float) -> tuple[float, ...] | None:
    """RELION writes -999 where it does not know the size."""
    try:
        sides = [float(row[label]) for label in SIZES]
    except (KeyError, ValueError):
        return None
    return tuple(side * size_a for side in sides) if all(side > 0 for side in sides) else None


def _of_star(file: StarFile) -> MicrographTable:
    table = file.find("micrographs") or next((table for table in file.tables if "rlnMicrographName" in table.labels), None)
    if table is None or "rlnMicrographName" not in table.labels:
        raise InputError(
            kind="unsupported", path=file.path, field=OPTION, found="no table with rlnMicrographName", expected="data_micrographs"
        )
    if has_coordinates(table.labels):
        raise InputError(
            kind="unsupported",
            path=file.path,
            field=OPTION,
            found="a list of particles",
            expected="micrographs: a micrographs.star or micrographs_ctf.star",
        )
    check_optics(str(file.path), file.optics)
    optics = {group_number(row.get(GROUP, "")): row for row in file.optics}
    rows = file.rows(table)
    sizes = [
        _size_of(file.path, row, optics.get(group_number(row.get(GROUP, "")), {}), "micrograph", row["rlnMicrographName"]) for row in rows
    ]
    nothing: list[tuple[float, ...] | None] = [None] * len(rows)
    return MicrographTable(
        path=file.path,
        micrographs=[Micrograph(name=row["rlnMicrographName"]) for row in rows],
        sizes_a=sizes,
        binnings=[np.nan] * len(rows),
        extents_a=nothing,
        tomograms=False,
    )


def _size_of(path: Path, row: dict[str, str], group: dict[str, str], what: str, name: str) -> float:
    for label in (OF_MICROGRAPH, OF_TILT_SERIES):
        found = row.get(label) or group.get(label)
        if found:
            return positive(str(path), label, found)
    raise InputError(kind="missing", path=path, field=f"{what} {name}", found=f"no {OF_MICROGRAPH}, in the row or its optics group")


def _of_cs(path: Path, fields: JoinedFields) -> MicrographTable:
    blob = "micrograph_blob/psize_A" in fields
    prefix = "micrograph_blob/" if blob else "location/micrograph_"
    size, name, shape = (f"{prefix}{field}" for field in ("psize_A", "path", "shape"))
    uid = "uid" if blob else "location/micrograph_uid"
    missing = [field for field in (size, name, uid) if field not in fields]
    if missing:
        raise InputError(
            kind="unsupported",
            path=path,
            field=OPTION,
            found=f"no field {missing[0]}",
            expected="a dataset of exposures or of located particles",
        )
    index, raw = fields.distinct(uid, "<u8")
    row = first_of_each(index, len(raw))
    names, sizes = fields.paths(name), fields.distinct(size, "<f4")
    values = [float(str(value)) for value in unpack(sizes[1], "<f4")[:, 0]]
    if any(not (np.isfinite(value) and value > 0) for value in values):
        raise InputError(kind="malformed", path=path, field=size, found=f"{min(values):g}", expected="positive numbers of Å")
    sizes_a = [values[sizes[0][i]] for i in row]
    extents: list[tuple[float, ...] | None] = [None] * len(row)
    if shape in fields:
        shape_of, shapes = fields.distinct(shape, "<u4", 2)
        sides = unpack(shapes, "<u4", 2).astype(float)[:, ::-1]  # (ny, nx)
        extents = [tuple((sides[shape_of[i]] * side).tolist()) for i, side in zip(row, sizes_a, strict=True)]
    micrographs = [
        Micrograph(name=names[1][names[0][i]], uid=int(number), extent_a=None if extent is None else (extent[0], extent[1]))
        for i, number, extent in zip(row, unpack(raw, "<u8")[:, 0], extents, strict=True)
    ]
    return MicrographTable(
        path=path,
        micrographs=micrographs,
        sizes_a=sizes_a,
        binnings=[np.nan] * len(row),
        extents_a=extents,
        tomograms=False,
    )
