"""From the files and tables a user names to columns of particles, whatever their formats."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats import cryosparc as cs
from cryodedup.formats import rows
from cryodedup.formats.star import FrameColumns, StarFile, TableColumns, has_coordinates, open_star, text
from cryodedup.particles import cryosparc, relion
from cryodedup.particles.outputs import DatasetOutput, NoOutput, PickFile, PickFilesOutput, StarOutput
from cryodedup.particles.picks import Floats, Micrograph, Picks, PixelSize, Scores

if TYPE_CHECKING:
    from cryodedup.params import ParticleParams

PICK_SUFFIXES = (".box", ".cbox", ".star")
_PICKER = re.compile(r"_(?:auto|manual|topaz)?picks?$|_extract$")
"""What RELION puts behind a micrograph's name in that of its coordinate file."""


def read_inputs(paths: Sequence[Path], params: ParticleParams) -> list[Picks]:
    """Reads every input; files of picks that belong together (one a micrograph, in one folder) become one."""
    kinds = [(path, kind_of(path)) for path in paths]
    opened = _Opened([path for path, kind in kinds if kind == "star"], params)
    found: list[Callable[[], Picks]] = []
    folders: dict[tuple[Path, str], list[Path]] = {}
    datasets: list[Path] = []
    for path, kind in kinds:
        if kind == "folder":
            found.append(partial(_read_folder, path, params))
        elif kind in ("npy", "csdat"):
            datasets.append(path)
            if len(datasets) == 1:
                place = len(found)
        elif kind == "csg":
            group = cs.CsGroup.open(path)
            found.append(partial(_read_datasets, group.files, params, group))
        elif kind == "topaz":
            found.append(partial(_read_topaz, path, params))
        elif kind == "box" or (kind == "star" and opened.is_coordinates(path)):
            key = (path.parent, path.suffix + _picker_suffix(path))
            if key not in folders:
                folders[key] = []
                found.append(partial(_read_pick_files, folders[key], params, opened))
            folders[key].append(path)
        else:
            found.append(partial(_read_star, opened.files[path], params))
    if datasets:
        found[place:place] = [partial(_read_datasets, files, params) for files in _jobs(datasets, params)]
    return [read() for read in found]


def read_table(table: Any, params: ParticleParams, label: str = "table") -> Picks:
    """Reads what ``starfile.read`` or ``cryosparc.dataset.Dataset.load`` return, or a structured array of CryoSPARC's fields."""
    if isinstance(table, np.ndarray) or callable(getattr(table, "fields", None)):
        return cryosparc.read(cryosparc.Joined.by_uid([cs.RecordArray.of(table, label)]), params, NoOutput())
    return relion.read(FrameColumns(table, label), params, NoOutput())


def kind_of(path: Path) -> str:
    """What an input is, by its content: its suffix says nothing, except for files of plain numbers."""
    if path.is_dir():
        return "folder"
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
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


@dataclass
class _Opened:
    """All STAR inputs, scanned in one go."""

    paths: Sequence[Path]
    params: ParticleParams
    files: dict[Path, StarFile] = field(init=False)

    def __post_init__(self) -> None:
        self.files = dict(zip(self.paths, _open(self.paths, self.params), strict=True))

    def is_coordinates(self, path: Path) -> bool:
        """Whether a file has picks of one micrograph, which it does not name."""
        file = self.files[path]
        tables = [table for table in file.tables if has_coordinates(table.labels)]
        return file.find("cryolo") is not None or (
            len(tables) == 1 and tables[0].block == "" and not set(relion.MICROGRAPH_NAMES) & set(tables[0].labels)
        )


def _open(paths: Sequence[Path], params: ParticleParams) -> list[StarFile]:
    numbers = [*relion.numbers(params), *CBOX, *cbox_scores(params)]
    return open_star(paths, numbers=numbers, names=(*relion.NAMES, *INDEX), varying=relion.ANGLES, threads=params.threads)


INDEX = ("rlnMicrographCoordinates",)
CBOX = ("CoordinateX", "CoordinateY", "CoordinateZ", "Width", "Height", "Depth")


def cbox_scores(params: ParticleParams) -> list[str]:
    """The column of a .cbox file that is its score."""
    return ["Confidence"] if params.score_field == "auto" else [params.score_field.lstrip("_")]


def _read_star(file: StarFile, params: ParticleParams) -> Picks:
    index = file.find("coordinate_files")
    if index is not None:
        return _read_index(file, index, params)
    table = _particle_table(file)
    return relion.read(TableColumns(file, table), params, StarOutput(file, table))


def _particle_table(file: StarFile) -> _core.Table:
    tables = [table for table in file.tables if has_coordinates(table.labels)]
    named = [table for table in tables if table.block == "particles"]
    if len(tables) == 1 or len(named) == 1:
        return (named or tables)[0]
    if tables:
        blocks = ", ".join(f"data_{table.block}" for table in tables)
        raise InputError(f"{file.path}: found {len(tables)} tables with coordinates ({blocks}), expected 1, or 1 named data_particles")
    blocks = ", ".join(f"data_{table.block}" for table in file.tables)
    raise InputError(f"{file.path}: found no location columns in {blocks}, expected rlnCoordinateX and rlnCoordinateY")


def _jobs(datasets: Sequence[Path], params: ParticleParams) -> list[list[Path]]:
    """Puts a dataset without locations together with the one of the same particles that has them, as of one job."""
    opened = {path: _open_dataset(path, params) for path in datasets}
    lone = [path for path in datasets if cryosparc.X not in opened[path] and "uid" in opened[path]]
    jobs = {path: [path] for path in datasets if path not in lone}
    for path in lone:
        uids = np.sort(opened[path].uids())
        fitting = [other for other in jobs if len(opened[other]) == len(uids) and np.array_equal(np.sort(opened[other].uids()), uids)]
        if len(fitting) == 1 and len(uids):
            jobs[fitting[0]].insert(0, path)
        else:
            jobs[path] = [path]
    order = {path: i for i, path in enumerate(datasets)}
    return sorted(jobs.values(), key=lambda job: min(order[path] for path in job))


def _open_dataset(path: Path, params: ParticleParams) -> cs.NpyFile | cs.CsdatFile:
    kind = kind_of(path)
    if kind not in ("npy", "csdat"):
        raise InputError(f"{path}: found no CryoSPARC dataset, expected one, as a group names it")
    return cs.NpyFile.open(path, params.threads) if kind == "npy" else cs.CsdatFile.open(path)


def _read_datasets(paths: Sequence[Path], params: ParticleParams, group: cs.CsGroup | None = None) -> Picks:
    parts = [_open_dataset(path, params) for path in paths]
    fields = cryosparc.Joined.by_uid(parts)
    return cryosparc.read(fields, params, DatasetOutput(parts, fields.orders, group))


def _read_folder(path: Path, params: ParticleParams) -> Picks:
    files = sorted(entry for entry in path.iterdir() if entry.is_file() and entry.suffix in PICK_SUFFIXES)
    suffixes = sorted({file.suffix + _picker_suffix(file) for file in files})
    if len(suffixes) != 1:
        raise InputError(
            f"{path}: found {', '.join(suffixes) or 'no pick files'}, expected a folder of .box, of .cbox or of RELION's *_autopick.star"
        )
    opened = _Opened([file for file in files if kind_of(file) == "star"], params)
    for file in opened.paths:
        if not opened.is_coordinates(file):
            raise InputError(f"{file}: found no picks of one micrograph, expected only such files in a folder")
    return _read_pick_files(files, params, opened, path)


def _picker_suffix(path: Path) -> str:
    found = _PICKER.search(path.stem)
    return found.group() if found else ""


def _read_pick_files(paths: Sequence[Path], params: ParticleParams, opened: _Opened, source: Path | None = None) -> Picks:
    """Files of one micrograph each, named after it."""
    source = source or (paths[0] if len(paths) == 1 else paths[0].parent)
    plain = [path for path in paths if path not in opened.files]
    boxes = dict(zip(plain, rows.open_boxes(plain, params.threads), strict=True))
    pieces = [_box_piece(path, boxes[path], params) if path in boxes else _coordinates_piece(opened.files[path], params) for path in paths]
    names = [_PICKER.sub("", path.stem) for path in paths]
    return _joined_pieces(source, names, pieces)


def _read_index(file: StarFile, index: _core.Table, params: ParticleParams) -> Picks:
    """RELION's index: for each micrograph the file of its coordinates, by paths from the project's directory."""
    entries = file.rows(index)
    for label in ("rlnMicrographName", "rlnMicrographCoordinates"):
        if label not in index.labels:
            raise InputError(f"{file.path}: data_coordinate_files: found no column {label}, expected it")
    listed = [Path(entry["rlnMicrographCoordinates"]) for entry in entries]
    project = _project_directory(file.path, listed)
    paths = [project / path for path in listed]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InputError(f"{file.path}: {len(missing)} of {len(paths)} files it names are missing: {', '.join(missing[:3])}{more}")
    kinds = [kind_of(path) for path in paths]
    stars = [path for path, kind in zip(paths, kinds, strict=True) if kind == "star"]
    opened = dict(zip(stars, _open(stars, params), strict=True))
    plain = [path for path, kind in zip(paths, kinds, strict=True) if kind == "box"]
    boxes = dict(zip(plain, rows.open_boxes(plain, params.threads), strict=True))
    pieces = []
    for path in paths:
        if path in boxes:
            pieces.append(_box_piece(path, boxes[path], params))
        elif path in opened:
            pieces.append(_coordinates_piece(opened[path], params))
        else:
            raise InputError(f"{path}: found no coordinates, expected a STAR or .box file, as {file.path} says")
    names = [entry["rlnMicrographName"] for entry in entries]
    return _joined_pieces(file.path, names, pieces, (file, index, project))


def _project_directory(index: Path, listed: Sequence[Path]) -> Path:
    """The directory from which the listed paths lead to files: the working one, or one above the index."""
    places = [Path.cwd(), *index.resolve().parents]
    return max(places, key=lambda place: (sum((place / path).is_file() for path in listed[:100]), -places.index(place)))


@dataclass(frozen=True)
class _Piece:
    """The picks of one file."""

    path: Path
    rows: _core.Rows
    position: tuple[Floats, ...]
    score: Scores | None
    where: Callable[[int], str]


def _box_piece(path: Path, table: _core.Table, params: ParticleParams) -> _Piece:
    """EMAN: x and y are those of the corner."""
    columns = table.columns
    position = (columns["x"] + columns["w"] / 2, columns["y"] + columns["h"] / 2)
    return _Piece(path, table.rows, position, _piece_score(path, columns, params, "score"), _line(path, table.rows))


def _line(path: Path, rows: _core.Rows) -> Callable[[int], str]:
    return lambda row: f"{path}, line {_core.line_number(path, rows.start(row))}"


def _piece_score(path: Path, columns: dict[str, Any], params: ParticleParams, usual: str) -> Scores | None:
    if params.score_field == "none":
        return None
    name = usual if params.score_field == "auto" else params.score_field.lstrip("_")
    if name in columns and isinstance(columns[name], np.ndarray):
        return Scores(field=name, values=columns[name])
    if params.score_field == "auto":
        return None
    raise InputError(f"{path}: found no column {params.score_field} (--score-field), expected one in every input")


def _coordinates_piece(file: StarFile, params: ParticleParams) -> _Piece:
    """CrYOLO's .cbox, or a coordinate file of RELION."""
    table = file.find("cryolo")
    if table is None:
        columns = TableColumns(file, _particle_table(file))
        picks = relion.read(columns, params, NoOutput(), name=file.path.stem)
        return _Piece(file.path, columns.table.rows, picks.position, picks.scores, columns.where)
    columns_of = table.columns
    missing = [label for label in ("CoordinateX", "CoordinateY", "Width", "Height") if label not in columns_of]
    if missing:
        raise InputError(f"{file.path}: data_cryolo: found no column _{missing[0]}, expected it")
    # Corners, as in .box files; a two-dimensional pick has no Z, written <NA>.
    position = [columns_of["CoordinateX"] + columns_of["Width"] / 2, columns_of["CoordinateY"] + columns_of["Height"] / 2]
    if "CoordinateZ" in columns_of and not np.isnan(columns_of["CoordinateZ"]).all():
        position.append(columns_of["CoordinateZ"] + np.nan_to_num(columns_of.get("Depth", np.zeros(len(table.rows)))) / 2)
    score = _piece_score(file.path, columns_of, params, "Confidence")
    return _Piece(file.path, table.rows, tuple(position), score, _line(file.path, table.rows))


def _joined_pieces(
    source: Path, names: Sequence[str], pieces: Sequence[_Piece], index: tuple[StarFile, _core.Table, Path] | None = None
) -> Picks:
    counts = [len(piece.rows) for piece in pieces]
    firsts = np.cumsum([0, *counts])
    dimensions = max((len(piece.position) for piece in pieces), default=2)
    filled = [piece for piece in pieces if len(piece.rows)]
    flat = next((piece for piece in filled if len(piece.position) < dimensions), None)
    if flat is not None:
        raise InputError(f"{flat.path}: found picks without z, expected z as in other files of {source}")
    position = tuple(_concatenate(piece.position[axis] for piece in filled) for axis in range(dimensions))
    scored = [piece.score for piece in filled if piece.score is not None]
    scores = None
    if scored:
        values = _concatenate(piece.score.values if piece.score else np.full(len(piece.rows), np.nan) for piece in filled)
        scores = Scores(field=scored[0].field, values=values)

    def where(row: int) -> str:
        file = int(np.searchsorted(firsts, row, side="right")) - 1
        return pieces[file].where(row - int(firsts[file]))

    distinct = list(dict.fromkeys(names))
    number = {name: i for i, name in enumerate(distinct)}
    return Picks(
        label=str(source),
        format="picks",
        micrographs=[Micrograph(name=name) for name in distinct],
        micrograph_of=np.repeat(np.array([number[name] for name in names], np.uint32), counts),
        stored=position,
        position=position,
        pixel_sizes=[PixelSize(of="", value_a=None, found_in="")],
        scores=scores,
        output=PickFilesOutput(
            source, [PickFile(piece.path, piece.rows, int(first)) for piece, first in zip(pieces, firsts[:-1], strict=True)], index
        ),
        where=where,
    )


def _concatenate(columns: Iterable[Floats]) -> Floats:
    return np.concatenate([np.zeros(0), *columns])


def _read_topaz(path: Path, params: ParticleParams) -> Picks:
    table = rows.open_topaz(path, params.threads)
    columns = table.columns
    index, names = columns["image_name"]
    position = (columns["x_coord"], columns["y_coord"])
    return Picks(
        label=str(path),
        format="picks",
        micrographs=[Micrograph(name=text(name)) for name in names],
        micrograph_of=index,
        stored=position,
        position=position,
        pixel_sizes=[PixelSize(of="", value_a=None, found_in="")],
        scores=_piece_score(path, columns, params, "score"),
        output=PickFilesOutput(path, [PickFile(path, table.rows, 0)]),
        where=_line(path, table.rows),
    )


def sources_of(picks: Sequence[Picks]) -> set[Path]:
    """All files that are read, resolved: none of them may be written to."""
    return {Path(os.path.realpath(file)) for pick in picks for file in pick.output.files}
