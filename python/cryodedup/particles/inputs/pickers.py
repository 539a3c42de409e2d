"""Files of picks: one a micrograph (crYOLO, EMAN, RELION), RELION's index of them, and Topaz's single file."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats import pick_tables as box
from cryodedup.formats.csv_picks import open_csv
from cryodedup.formats.detect import kind_of
from cryodedup.formats.pick_output import PickFile, PickFilesOutput
from cryodedup.formats.pick_tables import open_topaz
from cryodedup.formats.project import base_of, is_file
from cryodedup.formats.star import StarFile, open_star, text
from cryodedup.names import named
from cryodedup.particles.inputs.pick_files import NO_SIZE, Piece, box_piece, coordinates_piece, joined_pieces, line_of, score_of
from cryodedup.particles.inputs.picks import Micrograph, Picks
from cryodedup.particles.inputs.stars import has_picks_of_one_micrograph, open_stars
from cryodedup.particles.inputs.start_end import MAX_PARENTS, read_start_end
from cryodedup.text import brief

if TYPE_CHECKING:
    from cryodedup.params import ParticleParams

CRYOLO_THRESHOLD = 0.3
"""The confidence from which crYOLO takes a pick, if the user gives no other (-t)."""
SUFFIXES = ".box", ".cbox", ".star"
MICROGRAPH, COORDINATES = "rlnMicrographName", "rlnMicrographCoordinates"
INDICES = "autopick.star", "manualpick.star"
IN_JOBS = *INDICES, "particles.star", "optimisation_set.star"
"""What RELION's job folders hold; refinements hold files that end in _data.star."""
_PICKER = re.compile(r"_(?:auto|manual|topaz)?picks?$|_extract$|_particles$")
"""What RELION appends to a micrograph's name in that of its coordinate file."""


def suffix(path: Path) -> str:
    """The part of a file's name that names the picker, not the micrograph."""
    found = _PICKER.search(path.stem)
    return found.group() if found else ""


def micrograph_name(path: Path) -> str:
    """The micrograph that a file of picks is named after."""
    return _PICKER.sub("", path.stem)


def read_folder(path: Path, params: ParticleParams) -> Picks:
    """Files of one kind, each named after its micrograph."""
    files = sorted(entry for entry in path.iterdir() if entry.is_file() and entry.suffix.lower() in SUFFIXES)
    suffixes = sorted({file.suffix.lower() + suffix(file) for file in files})
    if len(suffixes) != 1:
        raise _instead_of_folder(path, ", ".join(suffixes) or "no pick files")
    stars = [file for file in files if kind_of(file) == "star"]
    opened = dict(zip(stars, open_stars(stars, params), strict=True))
    for file, star in opened.items():
        if not has_picks_of_one_micrograph(star):
            raise _instead_of_folder(path, file.name)
    return read_pick_files(files, params, opened, path)


def _instead_of_folder(path: Path, found: str) -> InputError:
    """The error for a folder that holds no picks, with what to give instead."""
    refused = partial(InputError, kind="unsupported", path=path)
    inner = next((name for name in ("CBOX", "EMAN", "STAR") if (path / name).is_dir()), None)
    if inner is not None:
        return refused(found=f"{found}, but a folder of picks in it", remedy=f"use {path / inner}")
    inside = [name for name in IN_JOBS if (path / name).is_file()]
    inside += sorted(entry.name for entry in path.iterdir() if entry.name.endswith(("_data.star", ".csg")))[-1:]
    if inside:
        return refused(found=found, expected="a folder of picks", remedy=f"this is a job's folder: use {path / inside[0]}")
    return refused(found=found, expected="a folder of .box, of .cbox or of RELION's *_autopick.star")


def read_pick_files(paths: Sequence[Path], params: ParticleParams, opened: Mapping[Path, StarFile], source: Path | None = None) -> Picks:
    """Files of one micrograph each, named after it; ``opened`` has those that are STAR files."""
    source = source or (paths[0] if len(paths) == 1 else paths[0].parent)
    plain = [path for path in paths if path not in opened]
    boxes = dict(zip(plain, box.open_boxes(plain, params.threads), strict=True))
    pieces = [box_piece(path, boxes[path], params) if path in boxes else coordinates_piece(opened[path], params) for path in paths]
    names = _names_in_job(paths)
    picks = _start_end(
        joined_pieces(source, names or [micrograph_name(path) for path in paths], pieces, are_paths=bool(names)), pieces, params
    )
    if params.min_score is None and any(path.suffix.lower() == ".cbox" for path in paths):
        picks.warnings.extend(_below_threshold(picks))
    return picks


def _names_in_job(paths: Sequence[Path]) -> list[str] | None:
    """The micrographs that these coordinate files are of by the index in the folder of RELION's job; None if it does not list them all."""
    folders = islice(paths[0].absolute().parents, MAX_PARENTS)
    path = next((folder / name for folder in folders for name in INDICES if is_file(folder / name)), None)
    if path is None or kind_of(path) != "star":
        return None
    (file,) = open_star([path])
    index = file.find("coordinate_files")
    if index is None or not {MICROGRAPH, COORDINATES} <= set(index.labels):
        return None
    project = path.parent.parent.parent
    listed = {os.path.normpath(project / row[COORDINATES]): row[MICROGRAPH] for row in file.rows(index)}
    names = [listed.get(os.path.normpath(path.absolute())) for path in paths]
    return None if None in names else [name for name in names if name is not None]


def _below_threshold(picks: Picks) -> list[str]:
    """A warning: .cbox files hold what crYOLO leaves out of its other files, too."""
    low = 0 if picks.scores is None or picks.scores.field != "Confidence" else int((picks.scores.values < CRYOLO_THRESHOLD).sum())
    if not low:
        return []
    return [
        f"{picks.label}: {low:,} of {len(picks):,} picks of crYOLO have a confidence below {CRYOLO_THRESHOLD:g}, its usual threshold:"
        f" .cbox files contain such picks, its .box and .star files do not; add {named('min_score', format(CRYOLO_THRESHOLD, 'g'))} to"
        " reject them"
    ]


def read_index(file: StarFile, index: _core.Table, params: ParticleParams) -> Picks:
    """RELION's index: for each micrograph the file of its coordinates, by paths from the project's directory."""
    entries = file.rows(index)
    for label in (MICROGRAPH, COORDINATES):
        if label not in index.labels:
            raise InputError(kind="missing", path=file.path, field="data_coordinate_files", found=f"no column {label}", expected="it")
    listed = [Path(entry[COORDINATES]) for entry in entries]
    project = Path(os.path.realpath(base_of(file.path, list(map(str, listed)))[0]))
    paths = [project / path for path in listed]
    twice = next((path for path, number in Counter(paths).items() if number > 1), None)
    if twice is not None:
        raise InputError(
            kind="ambiguous",
            path=file.path,
            found=f"{brief(str(twice))} in several rows",
            expected="one file of coordinates for each micrograph",
        )
    missing = [str(path) for path in paths if not is_file(path)]
    if missing:
        few = brief(", ".join(missing[:3])) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise InputError(
            kind="missing",
            path=file.path,
            reason=f"{len(missing)} of {len(paths)} files that it names are missing: {few}",
            remedy="run this in the RELION project directory",
        )
    kinds = [kind_of(path) for path in paths]
    stars = [path for path, kind in zip(paths, kinds, strict=True) if kind == "star"]
    opened = dict(zip(stars, open_stars(stars, params), strict=True))
    plain = [path for path, kind in zip(paths, kinds, strict=True) if kind == "box"]
    boxes = dict(zip(plain, box.open_boxes(plain, params.threads), strict=True))
    pieces = []
    for path in paths:
        if path in boxes:
            pieces.append(box_piece(path, boxes[path], params))
        elif path in opened:
            pieces.append(coordinates_piece(opened[path], params))
        else:
            raise InputError(kind="missing", path=path, found="no coordinates", expected=f"a STAR or .box file, as {file.path} says")
    names = [entry[MICROGRAPH] for entry in entries]
    return _start_end(joined_pieces(file.path, names, pieces, (file, index, project)), pieces, params)


def _start_end(picks: Picks, pieces: Sequence[Piece], params: ParticleParams) -> Picks:
    """The picks, or the filaments whose ends they are, in coordinate files of RELION."""
    if any(piece.path.suffix != ".star" for piece in pieces):
        return picks
    return read_start_end(picks, [(piece.path, len(piece.rows)) for piece in pieces], are_pairs=params.start_end)


def read_topaz(path: Path, params: ParticleParams) -> Picks:
    """One file of the picks in all micrographs."""
    table = open_topaz(path, params.threads)
    columns = table.columns
    index, names = columns["image_name"]
    position = tuple(columns[label] for label in ("x_coord", "y_coord", "z_coord") if label in columns)
    return Picks(
        label=str(path),
        format="picks",
        micrographs=[Micrograph(name=text(name), file=str(path)) for name in names],
        micrograph_of=index,
        stored=position,
        position=position,
        counted_in="tomogram" if len(position) == 3 else "micrograph",
        pixel_sizes=[NO_SIZE],
        scores=score_of(path, columns, params, "score", table.labels),
        output=PickFilesOutput(path, [PickFile(path, table.rows, 0)]),
        where=line_of(path, table.rows),
    )


def read_csv(path: Path, params: ParticleParams) -> Picks:
    """One table with commas of the picks in all micrographs."""
    found = open_csv(path, params.threads)
    position = tuple(found.columns[axis] for axis in "xyz" if axis in found.columns)
    return Picks(
        label=str(path),
        format="picks",
        micrographs=[Micrograph(name=name, file=None if "/" in name else str(path)) for name in found.names],
        micrograph_of=found.micrograph_of,
        stored=position,
        position=position,
        counted_in="tomogram" if len(position) == 3 else "micrograph",
        pixel_sizes=[NO_SIZE],
        scores=score_of(path, found.columns, params, "score", found.columns),
        output=PickFilesOutput(path, [PickFile(path, found.rows, 0)]),
        where=line_of(path, found.rows),
    )
