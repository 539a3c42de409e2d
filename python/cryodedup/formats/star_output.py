"""STAR files of particles."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryodedup import _core
from cryodedup.errors import InputError, naming
from cryodedup.formats.optimisation_set import NAME as OPTIMISATION_SET
from cryodedup.formats.optimisation_set import OptimisationSet
from cryodedup.formats.output import Destination, Mask, Output
from cryodedup.formats.star import SingleRow, StarFile, group_number, open_star, quoted
from cryodedup.progress import Progress

ID, NAME = "rlnOpticsGroup", "rlnOpticsGroupName"


@dataclass
class Optics:
    """The table of optics groups of the first file, to which the groups of other files are added."""

    labels: list[str]
    rows: list[dict[str, str]]
    end: int
    """Offset in the file of the end of the table's last row."""
    added: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, file: StarFile) -> Optics:
        table: _core.Table | None = file.find("optics")
        if table is None:
            return cls([], [], 0)
        rows = [{**row, ID: group_number(row[ID])} if ID in row else row for row in file.rows(table)]
        return cls(table.labels, rows, table.rows.start(len(table.rows)))

    def add(self, other: Optics) -> dict[str, str]:
        """Adds the groups of ``other`` that are new; returns the new numbers of its groups that are renumbered, by the old ones."""
        renumbered = {}
        for row in other.rows:
            same = next((known for known in self.rows if {**known, ID: ""} == {**row, ID: ""}), None)
            if same is None:
                same = dict(row)
                if any(known[ID] == row[ID] for known in self.rows):
                    same[ID] = str(max(map(_number, [*self.rows, *other.rows])) + 1)
                same[NAME] = self._free_name(row.get(NAME, ""))
                self.rows.append(same)
                self.added.append(same)
            if same[ID] != row[ID]:
                renumbered[row[ID]] = same[ID]
        return renumbered

    def _free_name(self, name: str) -> str:
        taken = {row.get(NAME) for row in self.rows}
        candidates = (name, *(f"{name}_{i}" for i in range(2, len(taken) + 3)))
        return next(candidate for candidate in candidates if candidate not in taken)

    def added_lines(self, path: Path) -> bytes:
        """The added rows as text, to be inserted after the last row of the table."""
        with path.open("rb") as file:
            file.seek(self.end - 1)
            start = "" if file.read(1) == b"\n" else "\n"
        lines = (" ".join(quoted(row[label]) for label in self.labels) + " \n" for row in self.added)
        return (start + "".join(lines)).encode("utf-8", "surrogateescape")


def _number(row: dict[str, str]) -> int:
    try:
        return int(float(row[ID]))
    except (ValueError, OverflowError):
        raise InputError(kind="malformed", field=f"data_optics: {ID}", found=f"{row[ID]!r}", expected="a whole number") from None


NAMES = ("Name", "File", "Path", "Uid")
"""Columns with one of these words in their label contain names, even if these look like numbers, such as 0012."""


def read_frames(path: Path) -> dict[str, Any]:
    """The blocks of a file by name, a DataFrame for each loop; columns of names are read as text.

    Raises
    ------
    InputError
        The file is not a STAR file.
    """
    import starfile

    (file,) = open_star([path])
    labels = {label for table in file.tables for label in table.labels}
    found: dict[str, Any] = starfile.read(path, always_dict=True, parse_as_string=[label for label in sorted(labels) if is_name(label)])
    return found


def is_name(label: str) -> bool:
    """Whether a column contains names."""
    return any(word in label for word in NAMES)


def optics(**columns: object) -> dict[str, object]:
    """A block with one optics group."""
    return {"rlnOpticsGroupName": ["opticsGroup1"], "rlnOpticsGroup": 1, **columns}


def write_frames(path: Path, blocks: Mapping[str, Mapping[str, object]]) -> None:
    """Writes each block of columns as a loop; floating-point numbers get six decimals."""
    import pandas
    import starfile

    with naming(path):
        starfile.write({name: pandas.DataFrame(columns) for name, columns in blocks.items()}, path, float_format="%.6f", sep=" ")


_BODY = re.compile(r"images_body_\d+")
"""The blocks of the bodies of a multi-body refinement: one row for each particle, in the order of the particles."""


def is_body(block: str) -> bool:
    """Whether a block holds what a multi-body refinement found of one body."""
    return _BODY.fullmatch(block) is not None


@dataclass(frozen=True)
class Moved:
    """Rows that change their half-set: bool (rows,), and the column that holds it."""

    field: str
    rows: Mask


@dataclass(frozen=True)
class StarOutput:
    """A STAR file of particles, and the optimisation set that names it, which is written again."""

    file: StarFile
    table: _core.Table
    optimisation_set: OptimisationSet | None = None
    suffix: str = ".star"
    moved: Moved | None = None
    """Rows that are written with the other half-set."""

    def __post_init__(self) -> None:
        for body in self.bodies:
            if len(body.rows) != len(self.table.rows):
                raise InputError(
                    kind="contradiction",
                    path=self.file.path,
                    field=f"data_{body.block}",
                    found=f"{len(body.rows):,} rows",
                    expected=f"{len(self.table.rows):,}, one for each particle of data_{self.table.block}",
                )

    @property
    def bodies(self) -> list[_core.Table]:
        """The tables of a multi-body refinement's bodies, whose rows are chosen as those of the particles."""
        return [table for table in self.file.tables if is_body(table.block) and table.labels]

    @property
    def stem(self) -> str:
        return self.file.path.stem

    @property
    def files(self) -> list[Path]:
        return [self.file.path, *([self.optimisation_set.path] if self.optimisation_set else [])]

    @property
    def row_files(self) -> list[Path]:
        return [self.file.path]

    @property
    def row_bytes(self) -> int:
        return self.table.rows.start(len(self.table.rows)) - self.table.rows.start(0)

    def taken(self, mask: Mask) -> Any:
        """Returns what ``starfile.read`` returns for these rows."""
        _core.read_cells(self.file.path, self.table.rows, [])  # refuses a file that was changed since it was read
        blocks = read_frames(self.file.path)
        taken = {name: frame[mask] if name == self.table.block or is_body(name) else frame for name, frame in blocks.items()}
        return taken if len(taken) > 1 else next(iter(taken.values()))

    def key(self) -> object:
        optics = self.file.find("optics")
        if (
            self.optimisation_set is not None or self.bodies or isinstance(self.table, SingleRow)
        ):  # tomograms of another project may have equal names
            return self.file.path
        if optics is None and self.file.optics:  # written without a loop, which has no place for another group
            return self.file.path
        if optics is not None and not ("rlnOpticsGroup" in optics.labels and "rlnOpticsGroup" in self.table.labels):
            return self.file.path
        return tuple(self.table.labels), tuple(optics.labels) if optics else None

    def write(self, to: Destination, stem: str, kept: Mask, others: Sequence[tuple[StarOutput, Mask]], progress: Progress) -> list[str]:
        merged = Optics.of(self.file)
        renumbered = [merged.add(Optics.of(other.file)) for other, _ in others]
        rows = [self._rows(kept, None, bool(others))]
        rows += [other._rows(mask, new, True) for (other, mask), new in zip(others, renumbered, strict=True)]
        start, end = (self.table.rows.start(row) for row in (0, len(self.table.rows)))
        pieces = [(start, end, rows)]
        for body in self.bodies:
            first, last = (body.rows.start(row) for row in (0, len(body.rows)))
            pieces.append((first, last, [_core.Part.rows(self.file.path, body.rows, kept)]))
        if merged.added:
            lines = merged.added_lines(self.file.path)
            pieces.append((merged.end, merged.end, [_core.Part.text(lines, lines)]))
        parts: list[_core.Part] = []
        at = 0
        for piece_start, piece_end, piece in sorted(pieces, key=lambda piece: piece[0]):
            parts += [_core.Part.span(self.file.path, at, piece_start), *piece]
            at = piece_end
        parts.append(_core.Part.span(self.file.path, at, self.file.path.stat().st_size))
        _core.split(parts, *(to.staging / f"{stem}_{word}.star" for word in to.words), progress=progress.advance_to)
        return [*self._notes(others, renumbered), *self._write_set(to, stem)]

    def _write_set(self, to: Destination, stem: str) -> list[str]:
        """The optimisation set of the kept particles."""
        if self.optimisation_set is None:
            return []
        name = OPTIMISATION_SET if stem == "particles" else f"{stem}_{OPTIMISATION_SET}"
        particles = Path(os.path.realpath(to.final)) / f"{stem}_{to.words[0]}.star"
        with naming(to.staging / name):
            (to.staging / name).write_text(self.optimisation_set.text_for(particles), "utf-8", "surrogateescape")
        return self.optimisation_set.lost

    def _rows(self, kept: Mask, renumbered: dict[str, str] | None, end_line: bool) -> _core.Part:
        if isinstance(self.table, SingleRow):
            return self.table.part(kept)
        rewrites = []
        if renumbered:
            values = [(old.encode(), new.encode()) for old, new in renumbered.items()]
            rewrites.append(_core.Rewrite.replace(self.table.labels.index("rlnOpticsGroup"), values))
        if self.moved is not None:
            rewrites.append(_core.Rewrite.other_half(self.table.labels.index(self.moved.field), self.moved.rows))
        return _core.Part.rows(self.file.path, self.table.rows, kept, rewrites=rewrites, end_line=end_line)

    def _notes(self, others: Sequence[tuple[StarOutput, Mask]], renumbered: Iterable[dict[str, str]]) -> list[str]:
        notes = []
        for (other, _), new in zip(others, renumbered, strict=True):
            if new:
                changes = ", ".join(f"{old} is now {number}" for old, number in new.items())
                notes.append(f"{other.file.path}: optics groups with equal numbers renumbered: {changes}")
            extra = [table.block for table in other.file.tables if table.start != other.table.start and table.block != "optics"]
            if extra:
                notes.append(f"{other.file.path}: joined to {self.file.path}; its other blocks are not written: {', '.join(extra)}")
        return notes


def unjoined(outputs: Sequence[Output], files: Sequence[tuple[str, list[int]]]) -> list[str]:
    """Notes on STAR inputs that are written to files of their own."""
    firsts = [outputs[members[0]] for _, members in files]
    stars = [output for output in firsts if isinstance(output, StarOutput)]
    if len(stars) < 2:
        return []
    names = ", ".join(str(output.file.path) for output in stars)
    return [f"{names}: written to separate files, since their columns, optics groups or optimisation sets differ"]
