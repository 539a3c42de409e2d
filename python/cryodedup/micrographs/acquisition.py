"""Hole, shot, time and stage of micrographs, from their names and the metadata of EPU and SerialEM beside them.

The names are those that EPU, SerialEM and Leginon give; programs add prefixes and suffixes.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryodedup.errors import InputError
from cryodedup.micrographs.version_names import without_uid
from cryodedup.names import named

_EPU = re.compile(
    r"(?:GridSquare_(?P<square>\d+).*?)?FoilHole_(?P<hole>\d+)_Data_(?P<shot>\d+)_\d+_(?P<date>\d{8})_(?P<time>\d{6}|\d{4})(?!\d)"
)
_MULTISHOT = re.compile(r"_(?P<hx>[XY][+-]\d{1,2})(?P<hy>[XY][+-]\d{1,2})-(?P<shot>\d{1,2})(?=[_.])")
_DATE = re.compile(r"_(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(\d{2})_(\d{2})[._](\d{2})[._](\d{2})")
_NUMBERED = re.compile(r"_(?P<number>\d{5})_(?P<hole>\d{1,3})-(?P<shot>\d{1,2})(?=[_.])")
_LEGINON = re.compile(r"_(\d{5})gr_(\d{5})sq_v\d{2}_(\d{5})hl_v\d{2}_(\d{5})e[a-z]{1,2}")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_XML = {
    "time": re.compile(rb"<acquisitionDateTime>([^<]{10,40})<"),
    "stage": re.compile(rb"<Position[^>]*>.{0,400}?<X>([^<]{1,30})</X>\s*<Y>([^<]{1,30})</Y>", re.DOTALL),
    "tilt": re.compile(rb"<Position[^>]*>\s*<A>([^<]{1,30})</A>"),
}
_MDOC = {
    "tilt": re.compile(r"^\s*TiltAngle\s*=\s*(\S+)", re.MULTILINE),
    "axis": re.compile(r"Tilt axis angle\s*=\s*([-+.\dEe]+)"),
    "rotation": re.compile(r"^\s*RotationAngle\s*=\s*(\S+)", re.MULTILINE),
}
_LONGEST_METADATA = 1 << 22

Key = tuple[object, ...]


@dataclass(frozen=True)
class Acquisition:
    """Holds what is known of one exposure.

    ``time`` sorts exposures of one session; ``hole`` and ``shot`` are the same for two exposures of one place, if the program knows of it;
    ``stage``: where the stage stood, ``tilt_deg``: how far it was tilted; ``tilt_axis_deg``: the angle of the tilt axis in the micrograph,
    counterclockwise from the y axis, as IMOD and SerialEM count it.
    """

    time: Key | None = None
    hole: str = ""
    shot: str = ""
    stage: tuple[float, float] | None = None
    tilt_deg: float | None = None
    tilt_axis_deg: float | None = None


def acquisitions_of(paths: Iterable[Path]) -> list[Acquisition]:
    """From names, EPU's ``.xml`` beside the files, and SerialEM's ``.mdoc``."""
    mdocs: dict[Path, dict[str, Path]] = {}
    found, names = [], []
    for path in paths:
        if path.parent not in mdocs:
            mdocs[path.parent] = _mdocs(path.parent)
        known = _with_xml(acquisition_of(os.fspath(path)), path)
        mdoc = mdocs[path.parent].get(path.name) or mdocs[path.parent].get(path.stem)
        found.append(known if mdoc is None else _with_mdoc(known, mdoc))
        names.append(os.fspath(path))
    return _by_visit(names, found)


def _by_visit(names: Sequence[str], found: list[Acquisition]) -> list[Acquisition]:
    """With the shots of one visit in one hole, where SerialEM's number counts exposures.

    The number counts either visits of the stage or exposures. It counts exposures if no two names have the same one, and if it goes up as
    the shot does for most of them: they then share their hole with another exposure.
    """
    numbered = {i: match for i, name in enumerate(names) if (match := _NUMBERED.search(name))}
    holes = {i: f"{int(match['number']) - int(match['shot'])}_{match['hole']}" for i, match in numbered.items()}
    shots_of = Counter(holes.values())
    shared = sum(shots_of[hole] > 1 for hole in holes.values())
    if len({match["number"] for match in numbered.values()}) < len(numbered) or 2 * shared < len(numbered):
        return found
    return [replace(known, hole=holes.get(i, known.hole)) for i, known in enumerate(found)]


def identifies(name: str) -> bool:
    """Whether a name without directories belongs to one exposure only: EPU's, with hole, shot and time."""
    return _EPU.search(name) is not None


def acquisition_of(name: str) -> Acquisition:
    """From a name."""
    if found := _EPU.search(name):
        return Acquisition(time=(found["date"] + found["time"].ljust(6, "0"),), hole=found["hole"], shot=found["shot"])
    if found := _LEGINON.search(name):
        grid, square, hole, exposure = found.groups()
        return Acquisition(time=(grid, square, hole, exposure), hole=f"{grid}-{square}-{hole}", shot=exposure)
    date = _DATE.search(name)
    time: Key | None = (_MONTHS.index(date["month"]), *date.groups()[1:]) if date else None
    if found := _NUMBERED.search(name):
        return Acquisition(
            time=time or (found["number"], int(found["hole"]), int(found["shot"])),
            hole=found["number"] + "_" + found["hole"],
            shot=found["shot"],
        )
    if found := _MULTISHOT.search(name):
        hole = name[: found.start()].rsplit("/", 1)[-1] + "_" + found["hx"] + found["hy"]
        return Acquisition(time=time, hole=hole, shot=found["shot"])
    return Acquisition(time=time)


def _with_xml(known: Acquisition, path: Path) -> Acquisition:
    found = _EPU.search(path.name)
    if not found:
        return known
    starts = dict.fromkeys([0, found.start(), path.name.index("FoilHole_", found.start())])
    candidates = (path.with_name(path.name[start : found.end()] + ".xml") for start in starts)
    xml = next((xml for xml in candidates if xml.is_file()), None)
    if xml is None or xml.stat().st_size > _LONGEST_METADATA:
        return known
    content = xml.read_bytes()
    time, stage, tilt = (_XML[what].search(content) for what in ("time", "stage", "tilt"))
    x, y, alpha = (_number(cell) for cell in ((stage[1], stage[2]) if stage else (b"", b"")) + ((tilt[1],) if tilt else (b"",)))
    digits = re.sub(rb"\D", b"", time[1])[:20].decode() if time else ""
    return replace(
        known,
        time=(digits,) if len(digits) >= 14 else known.time,
        stage=None if x is None or y is None else (x, y),
        tilt_deg=None if alpha is None else math.degrees(alpha),
    )


def _mdocs(directory: Path) -> dict[str, Path]:
    """SerialEM's files in a directory, by the name of the image and by that without its ending."""
    try:
        there = sorted(Path(entry) for entry in os.scandir(directory) if entry.name.endswith(".mdoc") and entry.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {name: mdoc for mdoc in there for name in (mdoc.stem, Path(mdoc.stem).stem)}


def _with_mdoc(known: Acquisition, mdoc: Path) -> Acquisition:
    """The .mdoc of one exposure; that of a tilt series does not describe single exposures."""
    content = mdoc.read_text("utf-8", "replace") if mdoc.stat().st_size <= _LONGEST_METADATA else ""
    tilts, axis, rotations = (_MDOC[what].findall(content) for what in ("tilt", "axis", "rotation"))
    if len(tilts) != 1:
        return known
    rotation = _number(rotations[0]) if rotations else None
    # The title gives the tilt axis; RotationAngle is that of the specimen's x axis, a right angle away.
    axis_deg = _number(axis[0]) if axis else None if rotation is None else rotation - 90
    return replace(known, tilt_deg=_number(tilts[0]), tilt_axis_deg=axis_deg)


def _number(cell: str | bytes) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def natural(name: str) -> Key:
    """Sorts ``x_2`` before ``x_10``."""
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name))


def sort(names: Sequence[str], acquisitions: Sequence[Acquisition], order: str) -> tuple[list[int], str]:
    """The order of exposures: their indices from the first to the last, and by what (``time``, ``name``, ``natural``, ``input``).

    Raises
    ------
    InputError
        Order ``time`` was chosen, and not all names contain it, in one form.
    """
    untimed = next((name for name, known in zip(names, acquisitions, strict=True) if known.time is None), None)
    kinds = {tuple(map(type, known.time)) for known in acquisitions if known.time is not None}
    if order == "time" and (untimed is not None or len(kinds) > 1):
        found = "times in several forms in the names" if untimed is None else f"no time in the name {untimed}"
        raise InputError(
            kind="missing",
            field=named("order", "time"),
            found=found,
            expected="a time of the same form in every name",
            remedy=f"use {named('order')} name, natural or input",
        )
    rule = order if order != "auto" else "time" if untimed is None and len(kinds) == 1 else "name"
    indices = range(len(names))
    if rule == "time":
        times = _over_new_year([known.time or () for known in acquisitions])
        return sorted(indices, key=lambda i: (times[i], names[i])), rule
    if rule == "natural":
        return sorted(indices, key=lambda i: (natural(_own(names[i])), names[i])), rule
    return (sorted(indices, key=lambda i: (_own(names[i]), names[i])) if rule == "name" else list(indices)), rule


def _own(name: str) -> str:
    """A path without CryoSPARC's uid: it would make the order a random one."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + without_uid(file)


def _over_new_year(times: list[Key]) -> list[Key]:
    """SerialEM's dates have no year: if there are December and January, January is the later."""
    months = {time[0] for time in times if isinstance(time[0], int) and len(time) == 5}
    if {0, 11} <= months:
        return [((time[0] + 12) if isinstance(time[0], int) and time[0] < 6 else time[0], *time[1:]) for time in times]
    return times
