"""The picks of one file, and of many files joined: each holds those of one micrograph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError, Where
from cryodedup.formats import pick_tables
from cryodedup.formats.output import NoOutput
from cryodedup.formats.pick_output import PickFile, PickFilesOutput
from cryodedup.formats.star import SingleRow, StarFile, TableColumns
from cryodedup.names import named
from cryodedup.particles.inputs import relion
from cryodedup.particles.inputs.picks import CountedIn, Filaments, Floats, Micrograph, Picks, PixelSize, Scores
from cryodedup.particles.inputs.scores import missing_score
from cryodedup.particles.inputs.stars import particle_table

if TYPE_CHECKING:
    from cryodedup.params import ParticleParams

NO_SIZE = PixelSize(of="", value_a=None, found_in="")


@dataclass(frozen=True)
class Piece:
    """The picks of one file."""

    path: Path
    rows: _core.Rows
    position: tuple[Floats, ...]
    score: Scores | None
    where: Callable[[int], Where]
    filaments: NDArray[Any] | None = None
    counted_in: CountedIn | None = None
    centered: bool = False
    pixel_size: PixelSize = NO_SIZE
    single: SingleRow | None = None


def box_piece(path: Path, table: _core.Table, params: ParticleParams) -> Piece:
    """EMAN: x and y are those of the corner."""
    columns = {label: values for label, values in table.columns.items() if label != "score"}
    values = pick_tables.score(table)
    if values is not None:
        columns["score"] = values
    position = (columns["x"] + columns["w"] / 2, columns["y"] + columns["h"] / 2)
    score = score_of(path, columns, params, "score", columns)
    table.columns.clear()  # 32 bytes a pick
    return Piece(path, table.rows, position, score, line_of(path, table.rows))


def line_of(path: Path, rows: _core.Rows) -> Callable[[int], Where]:
    """A function that names the line of a row, for messages."""
    return lambda row: Where(path, line=_core.line_number(path, rows.start(row)))


def score_of(path: Path, columns: Mapping[str, Any], params: ParticleParams, usual: str, labels: Iterable[str]) -> Scores | None:
    """The scores of a table: of the column that the parameters name, else of the usual one, if it is there."""
    if params.score_field == "none":
        return None
    name = usual if params.score_field == "auto" else params.score_field.lstrip("_")
    if name in columns and isinstance(columns[name], np.ndarray):
        return Scores(field=name, values=columns[name])
    if params.score_field == "auto":
        return None
    raise missing_score(str(path), params.score_field, labels)


def coordinates_piece(file: StarFile, params: ParticleParams) -> Piece:
    """CrYOLO's .cbox, or a coordinate file of RELION."""
    table = file.find("cryolo")
    if table is None:
        columns = TableColumns(file, particle_table(file))
        picks = relion.read(columns, params, NoOutput(), name=file.path.stem)
        if len(picks.pixel_sizes) > 1:
            raise InputError(
                kind="contradiction", path=file.path, found="several pixel sizes", expected="one in a file of picks of one micrograph"
            )
        return Piece(
            file.path,
            columns.table.rows,
            picks.position,
            picks.scores,
            columns.where,
            filaments=None if picks.filaments is None else picks.filaments.filament_of,
            counted_in=picks.counted_in,
            centered=picks.centered,
            pixel_size=picks.pixel_sizes[0] if picks.pixel_sizes else NO_SIZE,
            single=columns.table if isinstance(columns.table, SingleRow) else None,
        )
    columns_of = table.columns
    missing = [label for label in ("CoordinateX", "CoordinateY", "Width", "Height") if label not in columns_of]
    if missing:
        raise InputError(kind="missing", path=file.path, field="data_cryolo", found=f"no column _{missing[0]}", expected="it")
    # Corners, as in .box files; but Z is the centre's, and a two-dimensional pick has none, written <NA>.
    position = [columns_of["CoordinateX"] + columns_of["Width"] / 2, columns_of["CoordinateY"] + columns_of["Height"] / 2]
    if "CoordinateZ" in columns_of and not np.isnan(columns_of["CoordinateZ"]).all():
        position.append(columns_of["CoordinateZ"])
    score = score_of(file.path, columns_of, params, "Confidence", table.labels)
    return Piece(file.path, table.rows, tuple(position), score, line_of(file.path, table.rows), columns_of.get("filamentid"))


def joined_pieces(
    source: Path,
    names: Sequence[str],
    pieces: Sequence[Piece],
    index: tuple[StarFile, _core.Table, Path] | None = None,
    *,
    are_paths: bool = True,
) -> Picks:
    """The picks of all files as those of one input; ``names``: of their micrographs, ``are_paths``: whether these are paths.

    ``index``: RELION's, which names the files: its file, its table, and the project's directory.
    """
    counts = [len(piece.rows) for piece in pieces]
    firsts = np.cumsum([0, *counts])
    dimensions = max((len(piece.position) for piece in pieces), default=2)
    filled = [piece for piece in pieces if len(piece.rows)]
    flat = next((piece for piece in filled if len(piece.position) < dimensions), None)
    if flat is not None:
        raise InputError(kind="contradiction", path=flat.path, found="picks without z", expected=f"z as in other files of {source}")
    of_two = next((piece for piece in filled if (piece.counted_in, piece.centered) != (filled[0].counted_in, filled[0].centered)), None)
    if of_two is not None:
        raise InputError(
            kind="contradiction",
            path=of_two.path,
            found=f"coordinates in another unit than in {filled[0].path}",
            expected=f"one in all files of {source}",
        )
    position = tuple(_concatenate(piece.position[axis] for piece in filled) for axis in range(dimensions))
    sizes = list(dict.fromkeys(piece.pixel_size for piece in filled)) or [NO_SIZE]
    counted = (filled[0].counted_in if filled else None) or ("tomogram" if dimensions == 3 else "micrograph")
    scored = [piece.score for piece in filled if piece.score is not None]
    if len({score.field for score in scored}) > 1:
        fields = " and ".join(sorted({score.field for score in scored}))
        raise InputError(
            kind="ambiguous",
            path=source,
            found=f"scores {fields} in its files",
            expected="one in all",
            remedy=f"choose it with {named('score_field')}, or none",
        )
    scores = None
    if scored:
        values = _concatenate(piece.score.values if piece.score else np.full(len(piece.rows), np.nan) for piece in filled)
        scores = Scores(field=scored[0].field, values=values)

    def where(row: int) -> Where:
        file = int(np.searchsorted(firsts, row, side="right")) - 1
        return pieces[file].where(row - int(firsts[file]))

    distinct = list(dict.fromkeys(names))
    files = {name: str(piece.path) for name, piece in zip(names, pieces, strict=True)}
    number = {name: i for i, name in enumerate(distinct)}
    return Picks(
        label=str(source),
        format="picks",
        micrographs=[Micrograph(name=name, file=None if are_paths else files[name]) for name in distinct],
        micrograph_of=np.repeat(np.array([number[name] for name in names], np.uint32), counts),
        stored=position,
        position=position,
        counted_in=counted,
        centered=bool(filled) and filled[0].centered,
        pixel_sizes=[] if counted == "angstrom" else sizes,
        pixel_size_of=np.repeat(np.array([sizes.index(piece.pixel_size) for piece in filled], np.uint32), [len(p.rows) for p in filled]),
        scores=scores,
        filaments=_filaments(filled),
        output=PickFilesOutput(
            source,
            [PickFile(piece.path, piece.rows, int(first), piece.single) for piece, first in zip(pieces, firsts[:-1], strict=True)],
            index,
        ),
        where=where,
    )


def _filaments(pieces: Sequence[Piece]) -> Filaments | None:
    """Filaments have numbers within a file."""
    if not pieces or any(piece.filaments is None for piece in pieces):
        return None
    numbers = _concatenate(piece.filaments for piece in pieces if piece.filaments is not None)
    if np.isnan(numbers).all():
        return None
    return Filaments(field="_filamentid or rlnHelicalTubeID", filament_of=np.nan_to_num(numbers).astype(np.uint32))


def _concatenate(columns: Iterable[Floats]) -> Floats:
    return np.concatenate([np.zeros(0), *columns])
