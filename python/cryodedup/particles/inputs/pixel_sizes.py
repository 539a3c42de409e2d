"""The micrograph pixel size of every particle, and where it was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryodedup.errors import InputError
from cryodedup.formats.cryosparc import CsdatFile, NpyFile, check_type, unpack
from cryodedup.formats.star import open_star, text
from cryodedup.particles.inputs.identity import unify
from cryodedup.particles.inputs.picks import Floats, Micrograph, Picks, first_of_each
from cryodedup.particles.inputs.stars import kind_of

CHOSEN = "--pixel-size"
MICROGRAPHS = "--micrographs"


@dataclass(frozen=True)
class Resolved:
    """Pixel sizes of one input's particles: one for all, or one each; and for the summary, what was found where."""

    sizes_a: Floats | float
    found: list[dict[str, object]]
    warnings: list[str]


@dataclass(frozen=True)
class Micrographs:
    """Micrographs and their pixel sizes, Å."""

    path: Path
    micrographs: Sequence[Micrograph]
    sizes_a: Sequence[float]


def read_micrographs(path: Path) -> Micrographs:
    """From a RELION ``micrographs.star`` (through its optics groups) or a CryoSPARC dataset of exposures."""
    kind = kind_of(path)
    if kind == "star":
        return _from_star(path)
    if kind in ("npy", "csdat"):
        return _from_cs(path, kind)
    raise InputError(f"{path}: --micrographs: found neither a STAR file nor a CryoSPARC dataset")


def _from_star(path: Path) -> Micrographs:
    (file,) = open_star([path])
    table = file.find("micrographs") or next((table for table in file.tables if "rlnMicrographName" in table.labels), None)
    if table is None or "rlnMicrographName" not in table.labels:
        raise InputError(f"{path}: --micrographs: found no table with rlnMicrographName, expected data_micrographs")
    optics = {row.get("rlnOpticsGroup", ""): row for row in file.optics}
    rows = file.rows(table)
    sizes = [_star_size(path, row, optics) for row in rows]
    return Micrographs(path, [Micrograph(name=row["rlnMicrographName"]) for row in rows], sizes)


def _star_size(path: Path, row: dict[str, str], optics: dict[str, dict[str, str]]) -> float:
    group = optics.get(row.get("rlnOpticsGroup", ""), {})
    for label in ("rlnMicrographPixelSize", "rlnTomoTiltSeriesPixelSize"):
        found = row.get(label) or group.get(label)
        if found:
            try:
                size = float(found)
            except ValueError:
                size = np.nan
            if not (np.isfinite(size) and size > 0):
                raise InputError(f"{path}: {label}: found {found!r}, expected a positive number of Å")
            return size
    raise InputError(f"{path}: micrograph {row['rlnMicrographName']}: found no rlnMicrographPixelSize, in the row or its optics group")


def _from_cs(path: Path, kind: str) -> Micrographs:
    fields = NpyFile.open(path) if kind == "npy" else CsdatFile.open(path)
    blob = "micrograph_blob" if "micrograph_blob/psize_A" in fields else "location"
    size, name = (f"{blob}/psize_A", f"{blob}/path") if blob != "location" else ("location/micrograph_psize_A", "location/micrograph_path")
    uid = "uid" if blob != "location" else "location/micrograph_uid"
    missing = [field for field in (size, name, uid) if field not in fields]
    if missing:
        raise InputError(f"{path}: --micrographs: found no field {missing[0]}, expected a dataset of exposures or of located particles")
    index, raw = fields.distinct(uid)
    row = first_of_each(index, len(raw))
    check_type(fields, size, "<f4")
    check_type(fields, uid, "<u8")
    names, sizes = fields.distinct(name), fields.distinct(size)
    values = [float(str(value)) for value in unpack(sizes[1], "<f4")[:, 0]]
    if any(not (np.isfinite(value) and value > 0) for value in values):
        raise InputError(f"{path}: field {size}: found {min(values):g}, expected positive numbers of Å")
    micrographs = [
        Micrograph(name=text(names[1][names[0][i]]), uid=int(number)) for i, number in zip(row, unpack(raw, "<u8")[:, 0], strict=True)
    ]
    return Micrographs(path, micrographs, [values[sizes[0][i]] for i in row])


def resolve(picks: Picks, micrographs: Micrographs | None, chosen_a: float | None) -> Resolved:
    """From ``--micrographs``, else the input itself, else ``--pixel-size``, else what the input says of the unbinned movie."""
    if picks.in_angstrom:
        return Resolved(1.0, [{"of": "", "pixel_size_a": None, "found_in": "coordinates are in Å"}], [])
    by_micrograph = _of_micrographs(picks, micrographs) if micrographs else np.full(len(picks.micrographs), np.nan)
    covered = ~np.isnan(by_micrograph)
    found: list[dict[str, object]] = []
    warnings: list[str] = []
    if covered.any():
        found += [
            {"of": f"{int((by_micrograph == size).sum()):,} micrographs", "pixel_size_a": float(size), "found_in": MICROGRAPHS}
            for size in np.unique(by_micrograph[covered])
        ]
    if micrographs:
        warnings += _overruled(picks, micrographs, by_micrograph, chosen_a)
    if covered.all() and len(picks.micrographs):
        return Resolved(_spread(by_micrograph, picks.micrograph_of), found, warnings)
    needed = _needed(picks, covered)
    by_group = np.full(len(picks.pixel_sizes), np.nan)
    for i in needed:
        by_group[i] = _of_group(picks, i, chosen_a, found, warnings, covered)
    if not covered.any():
        return Resolved(_spread(by_group, picks.pixel_size_of), found, warnings)
    own = np.broadcast_to(_spread(by_group, picks.pixel_size_of), len(picks))
    return Resolved(np.where(covered[picks.micrograph_of], by_micrograph[picks.micrograph_of], own), found, warnings)


def _overruled(picks: Picks, known: Micrographs, by_micrograph: Floats, chosen_a: float | None) -> list[str]:
    """What ``--micrographs`` does not tell, and what it says otherwise than the user or the input."""
    covered = ~np.isnan(by_micrograph)
    warnings = []
    if not covered.all():
        warnings.append(f"{picks.label}: {known.path} names {covered.sum():,} of its {len(covered):,} micrographs")
    sizes = set(by_micrograph[covered].tolist())
    if chosen_a is not None and sizes - {chosen_a}:
        warnings.append(f"{picks.label}: --pixel-size {chosen_a:g} not used where {known.path} tells the pixel size")
    own = {size.value_a for size in picks.pixel_sizes if size.value_a is not None and not size.surmised}
    if sizes and own and any(min(abs(size - other) for other in own) > 1e-4 * size for size in sizes):
        told = ", ".join(f"{size:g}" for size in sorted(sizes))
        given = ", ".join(f"{size:g}" for size in sorted(own))
        warnings.append(f"{picks.label}: pixel size {told} Å from {known.path}, not {given} Å as the input says")
    return warnings


def _needed(picks: Picks, covered: np.ndarray) -> Sequence[int]:
    """The groups of pixel sizes that have particles in a micrograph which ``--micrographs`` does not tell."""
    if not len(picks):
        return []
    if len(picks.pixel_sizes) == 1:
        return [0]
    assert picks.pixel_size_of is not None
    groups = picks.pixel_size_of if not covered.any() else picks.pixel_size_of[~covered[picks.micrograph_of]]
    return [int(i) for i in np.flatnonzero(np.bincount(groups, minlength=len(picks.pixel_sizes)))]


def _spread(values: Floats, index: np.ndarray | None) -> Floats | float:
    if index is None or (len(values) and (values == values[0]).all()):
        return float(values[0])
    return np.asarray(values[index], np.float64)


def _of_group(
    picks: Picks, i: int, chosen_a: float | None, found: list[dict[str, object]], warnings: list[str], covered: np.ndarray
) -> float:
    size = picks.pixel_sizes[i]
    of = size.of or "all"
    if size.value_a is not None and not (size.surmised and chosen_a is not None):
        found.append({"of": of, "pixel_size_a": size.value_a, "found_in": size.found_in})
        if size.surmised:
            warnings.append(
                f"{picks.label}: {of}: pixel size {size.value_a:g} Å from {size.found_in}, that of the movie before binning;"
                " if the micrographs were binned, give --micrographs or --pixel-size"
            )
        elif chosen_a is not None and chosen_a != size.value_a:
            warnings.append(f"{picks.label}: {of}: --pixel-size {chosen_a:g} not used: {size.found_in} says {size.value_a:g} Å")
        return size.value_a
    if chosen_a is not None:
        found.append({"of": of, "pixel_size_a": chosen_a, "found_in": CHOSEN})
        return chosen_a
    untold = picks.micrographs[int(np.flatnonzero(~covered)[0])].name if covered.any() else None
    place = f" for micrograph {untold}, which --micrographs does not name" if untold else f" for {of}" if size.of else ""
    raise InputError(f"{picks.label}: found no micrograph pixel size{place}; give --micrographs micrographs.star (or .cs), or --pixel-size")


def _of_micrographs(picks: Picks, known: Micrographs) -> Floats:
    (numbers, theirs), _ = unify([(str(known.path), known.micrographs), (picks.label, picks.micrographs)])
    size_of = dict(zip(numbers, known.sizes_a, strict=True))
    return np.array([size_of.get(number, np.nan) for number in theirs], np.float64)
