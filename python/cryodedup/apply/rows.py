"""The particles or micrographs that the rows of a file stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError, Where, naming
from cryodedup.formats.cryosparc_output import DatasetOutput
from cryodedup.formats.cs_group import CsGroup
from cryodedup.formats.datasets import JoinedFields, open_dataset
from cryodedup.formats.detect import UnknownFormatError, kind_of
from cryodedup.formats.optimisation_set import OptimisationSet
from cryodedup.formats.output import Destination, Mask, Output
from cryodedup.formats.star import StarFile, TableColumns, has_coordinates, open_star
from cryodedup.formats.star_output import StarOutput
from cryodedup.params import ParticleParams
from cryodedup.particles.inputs import cryosparc
from cryodedup.particles.inputs.picks import Micrograph, Picks
from cryodedup.particles.inputs.reading import files_of, read_inputs
from cryodedup.particles.inputs.stars import has_picks_of_one_micrograph, is_motive_list, open_stars
from cryodedup.particles.inputs.tomograms import with_names
from cryodedup.progress import SILENT, Progress

Lists = Literal["particles", "micrographs", "uids"]
"""What a table has a row for; ``uids``: of a dataset that says no more of its rows."""
MICROGRAPH_LABELS = "rlnMicrographName", "rlnMicrographMovieName"
BLOCKS = "particles", "micrographs", "movies", "coordinate_files"
BLOBS = "micrograph_blob", "movie_blob"
SOURCE_UID = "sym_expand/src_uid"


@dataclass(frozen=True, kw_only=True)
class FileRows:
    """The rows of one file.

    Attributes
    ----------
    micrographs, micrograph_of
        The micrographs that the rows are of, and for each row the index of its own, uint32 (n,); empty where the file does not say.
    picks
        Where particles are; None for micrographs, for ``uids``, and where it is not needed.
    uids, source_uids
        CryoSPARC's, uint64 (n,); the latter are those of the particles that a symmetry expansion began with.
    where
        Names a row for messages.
    """

    label: str
    lists: Lists
    count: int
    output: Output
    where: Callable[[int], Where | str]
    micrographs: Sequence[Micrograph] = ()
    micrograph_of: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    picks: Picks | None = None
    uids: NDArray[np.uint64] | None = None
    source_uids: NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return self.count


def of_picks(picks: Picks) -> FileRows:
    """The rows of any file of particles."""
    return FileRows(
        label=picks.label,
        lists="particles",
        count=len(picks),
        output=picks.output,
        where=picks.where,
        micrographs=picks.micrographs,
        micrograph_of=picks.micrograph_of,
        picks=picks,
        uids=picks.uids,
        source_uids=picks.expanded_from,
    )


def read_rows(
    path: Path, params: ParticleParams, progress: Progress = SILENT, *, positions: bool, with_it: Sequence[Path] = ()
) -> FileRows:
    """Reads one file or folder.

    Parameters
    ----------
    with_it
        The passthrough file of a CryoSPARC dataset.
    positions
        Whether particles are looked for by their coordinates; else by their micrographs, and an index of pick files lists these.

    Raises
    ------
    InputError
        A file of no such kind, or one that names neither particles nor micrographs.
    """
    kind = _kind(path)
    if kind == "list":
        return _read_list(path)
    if kind == "csg":
        group = CsGroup.open(path)
        return _read_datasets(files_of(group), params, progress, group, positions)
    if kind in ("npy", "csdat"):
        return _read_datasets([path, *with_it], params, progress, None, positions)
    if kind == "star":
        (file,) = open_stars([path], params, progress) if positions else open_star([path], names=MICROGRAPH_LABELS, threads=params.threads)
        if not (has_picks_of_one_micrograph(file) or (positions and _has_positions(file))):
            return _read_names(file, params.threads)
    (picks,) = read_inputs([path], params, progress)
    return of_picks(with_names(picks, params))


def _kind(path: Path) -> str:
    try:
        return kind_of(path)
    except UnknownFormatError:
        if path.suffix == ".txt":
            return "list"
        raise


def _has_positions(file: StarFile) -> bool:
    if file.find("coordinate_files") is not None or is_motive_list(file) or OptimisationSet.of(file) is not None:
        return True
    return any(has_coordinates(table.labels) for table in file.tables)


def passthrough_of(paths: Sequence[Path], threads: int) -> dict[Path, Path]:
    """Finds the passthrough file of each main file of CryoSPARC without locations, if it is among the files, too."""
    datasets = [path for path in paths if path.suffix == ".cs" and path.is_file() and kind_of(path) in ("npy", "csdat")]
    opened = {path: open_dataset(path, threads) for path in datasets}
    located = [path for path in datasets if "passthrough" in path.name and cryosparc.X in opened[path] and "uid" in opened[path]]
    found: dict[Path, Path] = {}
    for path in datasets:
        if cryosparc.X not in opened[path] and "uid" in opened[path]:
            uids = np.sort(opened[path].uids())
            same = [other for other in located if np.array_equal(np.sort(opened[other].uids()), uids)]
            if len(same) == 1 and same[0] not in found.values():
                found[path] = same[0]
    return found


def _read_names(file: StarFile, threads: int) -> FileRows:
    """A STAR table by the micrographs it names."""
    table = _named_table(file)
    if not any(label in table.columns for label in MICROGRAPH_LABELS):  # it was scanned for other columns
        (file,) = open_star([file.path], names=MICROGRAPH_LABELS, threads=threads)
        table = _named_table(file)
    columns = TableColumns(file, table)
    index, names = columns.names(next(label for label in MICROGRAPH_LABELS if label in columns))
    return FileRows(
        label=str(file.path),
        lists="particles" if has_coordinates(table.labels) or "rlnImageName" in table.labels else "micrographs",
        count=len(columns),
        output=StarOutput(file, table),
        where=columns.where,
        micrographs=[Micrograph(name=name) for name in names],
        micrograph_of=index,
    )


def _named_table(file: StarFile) -> _core.Table:
    tables = [table for table in file.tables if set(MICROGRAPH_LABELS) & set(table.labels)]
    found = ", ".join(f"data_{table.block}" for table in tables or file.tables) or "no block"
    if not tables:
        raise InputError(
            kind="missing", path=file.path, found=f"no column {' or '.join(MICROGRAPH_LABELS)} in {found}", expected="a table with one"
        )
    chosen = [table for table in tables if table.block in BLOCKS] or tables
    if len(chosen) > 1:
        raise InputError(kind="ambiguous", path=file.path, found=f"{len(chosen)} tables that name micrographs ({found})", expected="1")
    return chosen[0]


def _read_datasets(paths: Sequence[Path], params: ParticleParams, progress: Progress, group: CsGroup | None, positions: bool) -> FileRows:
    parts = [open_dataset(path, params.threads, progress.advance_to) for path in paths]
    fields = JoinedFields.of(parts, group)
    blob = next((blob for blob in BLOBS if f"{blob}/path" in fields), None)
    is_located = cryosparc.UID in fields or cryosparc.PATH in fields
    output = DatasetOutput(parts, fields.orders, group, kind="particle" if is_located or blob is None else "exposure")
    if positions and is_located and all(field in fields for field in (cryosparc.X, cryosparc.Y, cryosparc.SHAPE)):
        return of_picks(cryosparc.read(fields, params, output))
    uids = fields.uids() if "uid" in fields else None
    index, micrographs = _micrographs(fields, blob, uids) if is_located or blob else (np.zeros(0, np.uint32), [])
    if uids is None and not micrographs:
        raise InputError(
            kind="unsupported",
            path=fields.label,
            found="neither uids nor micrograph names",
            expected="a dataset of particles or of exposures",
        )
    return FileRows(
        label=fields.label,
        lists="particles" if is_located else "micrographs" if blob else "uids",
        count=len(fields),
        output=output,
        where=lambda row: Where(fields.label, row=row),
        micrographs=micrographs,
        micrograph_of=index,
        uids=uids,
        source_uids=fields.uids(SOURCE_UID) if SOURCE_UID in fields else None,
    )


def _micrographs(
    fields: JoinedFields, blob: str | None, uids: NDArray[np.uint64] | None
) -> tuple[NDArray[np.uint32], Sequence[Micrograph]]:
    """The micrographs that locations of particles name; exposures are micrographs themselves."""
    if cryosparc.UID in fields or cryosparc.PATH in fields:
        return cryosparc.micrographs_of(fields)
    index, names = fields.paths(f"{blob}/path")
    own = [None] * len(fields) if uids is None else uids.tolist()
    return np.arange(len(fields), dtype=np.uint32), [
        Micrograph(name=names[i], uid=uid or None) for i, uid in zip(index.tolist(), own, strict=True)
    ]


@dataclass(frozen=True)
class LinesOutput:
    """A list of names, one on each line; lines without a name are written to both files."""

    path: Path
    lines: Sequence[bytes]

    @property
    def stem(self) -> str:
        return self.path.stem

    @property
    def suffix(self) -> str:
        return self.path.suffix

    @property
    def files(self) -> list[Path]:
        return [self.path]

    @property
    def row_files(self) -> list[Path]:
        return [self.path]

    @property
    def row_bytes(self) -> int:
        return sum(map(len, self.lines))

    def key(self) -> object:
        return self.path

    def write(self, to: Destination, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        for word, mask in zip(to.words, (kept, ~kept), strict=True):
            wanted = iter(mask.tolist())
            text = b"".join(line for line in self.lines if not line.strip() or next(wanted))
            path = to.staging / f"{stem}_{word}{self.suffix}"
            with naming(path):
                path.write_bytes(text)
        return []


def _read_list(path: Path) -> FileRows:
    lines = path.read_bytes().splitlines(keepends=True)
    if any(b"\0" in line for line in lines):
        raise InputError(kind="malformed", path=path, found="zero bytes (NUL)", expected="a list of micrograph names, one per line")
    names = [line.strip().decode("utf-8", "surrogateescape") for line in lines if line.strip()]
    distinct = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return FileRows(
        label=str(path),
        lists="micrographs",
        count=len(names),
        output=LinesOutput(path, lines),
        where=lambda row: f"{path}: {names[row]}",
        micrographs=[Micrograph(name=name) for name in distinct],
        micrograph_of=np.array([distinct[name] for name in names], np.uint32),
    )
