"""STAR files (RELION, crYOLO, and tables from ``starfile``).

All values are read by the package's own scanner, even those of small tables: ``starfile`` reads the name ``0012`` as 12, truncates
``mic#1.mrc`` at the ``#``, and takes longer to import than a million rows take to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError, Where

ROWS_LOOKED_AT = 16
Numbers = NDArray[np.float64]
Names = tuple[NDArray[np.uint32], list[str]]
"""For each row the index of its name, and the distinct names."""


def text(raw: bytes) -> str:
    """Bytes of a file as text; bytes that are not UTF-8 survive a round trip (PEP 383)."""
    return raw.decode("utf-8", "surrogateescape")


def quoted(value: str) -> str:
    """A value as one cell of a row, quoted if necessary; the only place in the package that quotes."""
    if value and value[0] not in "#\"'_;" and not any(character.isspace() for character in value) and "#" not in value:
        return value
    quote = "'" if '"' in value else '"'
    return f"{quote}{value}{quote}"


def group_number(value: str) -> str:
    """The number of an optics group in its plain form: programs that write all numbers alike make 1.000000 of it."""
    whole, point, decimals = value.partition(".")
    return whole if point and whole.isdecimal() and not decimals.strip("0") else value


class Columns(Protocol):
    """A table of particles by column, from a file or from memory.

    ``labels`` are the names of the columns. ``numbers`` returns a column as float64 (n,), ``names`` as indices into its distinct values;
    ``take``: as ``numbers``, for a column that is not used again; ``release``: frees all columns; ``varies``: whether the values of a
    column differ; ``some``: cells of some rows, by default of a few spread over the table; ``all_names``: as ``names``, for a column that
    was not parsed; ``where`` names a row in messages; ``optics`` are the rows of the optics groups.
    """

    label: str

    @property
    def labels(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...
    def __contains__(self, label: object) -> bool: ...
    def numbers(self, label: str) -> Numbers: ...
    def take(self, label: str) -> Numbers: ...
    def release(self) -> None: ...
    def names(self, label: str) -> Names: ...
    def varies(self, label: str) -> bool: ...
    def some(self, label: str, rows: Sequence[int] | None = None) -> list[str]: ...
    def all_names(self, label: str) -> Names: ...
    def where(self, row: int) -> Where: ...
    @property
    def optics(self) -> list[dict[str, str]]: ...


class SingleRow:
    """One particle in a block without ``loop_``, a label and a value on each line, as a table of one row.

    ``text`` is the block's lines from the first to the last label, ``empty`` a loop of these columns without rows.
    """

    def __init__(self, path: Path, table: _core.Table) -> None:
        self.block, self.start, self.pairs = table.block, table.start, table.pairs
        self.labels = [label for label, _ in table.pairs]
        self.columns: dict[str, Any] = {label: (np.zeros(1, np.uint32), [value]) for label, value in table.pairs}
        first, self.text = _lines_of_pairs(path, table.start)
        self.rows = _core.Rows.records(path, first, len(self.text), 1)
        self.empty = "".join(["loop_\n", *(f"_{label}\n" for label in self.labels)]).encode("utf-8", "surrogateescape")

    def part(self, kept: NDArray[np.bool_]) -> _core.Part:
        """Returns what is written of it: its lines, or the empty loop."""
        return _core.Part.text(*((self.text, self.empty) if kept[0] else (self.empty, self.text)))


def _with_single_row(path: Path, table: _core.Table) -> _core.Table:
    """A block of one particle without a loop as a table of one row; any other as it is."""
    if table.labels or not has_coordinates(label for label, _ in table.pairs):
        return table
    return cast("_core.Table", SingleRow(path, table))


def _lines_of_pairs(path: Path, block: int) -> tuple[int, bytes]:
    """The lines of labels of the block that begins at an offset, and the offset of the first."""
    with path.open("rb") as file:
        file.seek(block)
        file.readline()
        lines: list[bytes] = []
        first = file.tell()
        for line in file:
            if line.lstrip().startswith(b"_"):
                lines.append(line)
            elif not lines:
                first += len(line)
            else:
                break
    return first, b"".join(lines)


class StarFile:
    """The tables of one file."""

    def __init__(self, path: Path, tables: list[_core.Table]) -> None:
        self.path = path
        self.tables = [_with_single_row(path, table) for table in tables]

    def find(self, block: str) -> _core.Table | None:
        """The first table of this name that has columns; None if there is none."""
        return next((table for table in self.tables if table.block == block and table.labels), None)

    def rows(self, table: _core.Table) -> list[dict[str, str]]:
        """All cells of a small table, row by row."""
        if isinstance(table, SingleRow):
            return [{label: text(value) for label, value in table.pairs}]
        return [dict(zip(table.labels, map(text, row), strict=True)) for row in _core.read_cells(self.path, table.rows)]

    @property
    def optics(self) -> list[dict[str, str]]:
        """The rows of ``data_optics``, also when it is written without a loop."""
        table = self.find("optics")
        if table is not None:
            return self.rows(table)
        pairs = next((table.pairs for table in self.tables if table.block == "optics" and table.pairs), None)
        return [{label: text(value) for label, value in pairs}] if pairs else []


def open_star(
    paths: Sequence[Path],
    *,
    numbers: Iterable[str] = (),
    names: Iterable[str] = (),
    varying: Iterable[str] = (),
    threads: int = 0,
    progress: Callable[[int], object] | None = None,
) -> list[StarFile]:
    """Scans the files once, parsing only the named columns."""
    files = _core.scan_star(paths, numbers=list(numbers), names=list(names), varying=list(varying), threads=threads, progress=progress)
    return [StarFile(path, tables) for path, tables in zip(paths, files, strict=True)]


class TableColumns:
    """A loop of a scanned file."""

    def __init__(self, file: StarFile, table: _core.Table) -> None:
        self.file = file
        self.table = table
        self.label = str(file.path)
        self.optics = file.optics

    def __len__(self) -> int:
        return len(self.table.rows)

    def __contains__(self, label: object) -> bool:
        return label in self.table.labels

    @property
    def labels(self) -> Sequence[str]:
        return self.table.labels

    def numbers(self, label: str) -> Numbers:
        values = self.table.columns[label]
        if not isinstance(values, np.ndarray):  # also requested as names or varying
            try:
                values = np.array([float(row[label]) for row in self.file.rows(self.table)])
            except ValueError as error:
                raise InputError(kind="malformed", path=self.label, field=label, reason=str(error), expected="numbers") from None
        return cast("Numbers", values)

    def take(self, label: str) -> Numbers:
        """As ``numbers``, and frees the column: the table itself is kept until its rows are written."""
        values = self.numbers(label)
        self.table.columns.pop(label)
        return values

    def release(self) -> None:
        """Frees all columns."""
        self.table.columns.clear()

    def names(self, label: str) -> Names:
        column = self.table.columns[label]
        if isinstance(column, np.ndarray):  # also requested as a number
            values, inverse = np.unique(column, return_inverse=True)
            return inverse.astype(np.uint32), [_as_text(float(value)) for value in values]
        indices, names = column
        return indices, [text(name) for name in names]

    def varies(self, label: str) -> bool:
        column = self.table.columns.get(label, False) if len(self) > 1 else False
        if not isinstance(column, np.ndarray):
            return bool(column)
        known = column[~np.isnan(column)]
        return bool((known != known[:1]).any())

    def some(self, label: str, rows: Sequence[int] | None = None) -> list[str]:
        if isinstance(self.table, SingleRow):
            return [row[label] for row in self.file.rows(self.table)]
        column, chosen = self.table.labels.index(label), _spread(len(self)) if rows is None else rows
        return [text(row[column]) for row in _core.read_cells(self.file.path, self.table.rows, chosen)]

    def all_names(self, label: str) -> Names:
        if isinstance(self.table, SingleRow):
            return np.zeros(1, np.uint32), self.some(label)
        (file,) = open_star([self.file.path], names=(label,))
        indices, names = next(table for table in file.tables if table.start == self.table.start).columns[label]
        return indices, [text(name) for name in names]

    def where(self, row: int) -> Where:
        return Where(self.label, line=_core.line_number(self.file.path, self.table.rows.start(row)))


class FrameColumns:
    """A table as ``starfile.read`` returns it: a DataFrame, or a dict of DataFrames by the names of their blocks."""

    def __init__(self, tables: Any, label: str = "table") -> None:
        self.label = label
        self.frame, optics = _particles_and_optics(tables)
        if not hasattr(self.frame.columns, "duplicated"):
            kind = f"{type(self.frame).__module__.partition('.')[0]} {type(self.frame).__name__}"
            raise InputError(
                kind="unsupported", path=label, found=f"a {kind}", expected="a pandas DataFrame", remedy="convert it by to_pandas()"
            )
        twice = [str(name) for name in self.frame.columns[self.frame.columns.duplicated()]]
        if twice:
            raise InputError(kind="ambiguous", path=label, found=f"the column {twice[0]} twice", expected="each once")
        self.optics = (
            [{str(key): _as_text(value) for key, value in row.items()} for row in optics.to_dict("records")] if optics is not None else []
        )

    def __len__(self) -> int:
        return len(self.frame)

    def __contains__(self, label: object) -> bool:
        return label in self.frame.columns

    @property
    def labels(self) -> Sequence[str]:
        return [str(label) for label in self.frame.columns]

    def numbers(self, label: str) -> Numbers:
        try:
            return np.ascontiguousarray(self.frame[label].to_numpy(dtype=np.float64, na_value=np.nan))
        except (TypeError, ValueError) as error:
            raise InputError(kind="malformed", path=self.label, field=label, reason=str(error), expected="numbers") from None

    def take(self, label: str) -> Numbers:
        return self.numbers(label)

    def release(self) -> None:
        """Does nothing: the table belongs to the caller."""

    def names(self, label: str) -> Names:
        column = self.frame[label]
        if column.isna().any():
            raise InputError(
                kind="missing",
                path=self.label,
                row=int(column.isna().to_numpy().argmax()),
                field=label,
                found="nothing",
                expected="a value",
            )
        indices, names = column.map(_as_text).factorize()
        return np.ascontiguousarray(indices, np.uint32), [str(name) for name in names]

    def varies(self, label: str) -> bool:
        return label in self and self.frame[label].nunique() > 1

    def some(self, label: str, rows: Sequence[int] | None = None) -> list[str]:
        return [str(self.frame[label].iloc[row]) for row in (_spread(len(self)) if rows is None else rows)]

    def all_names(self, label: str) -> Names:
        return self.names(label)

    def where(self, row: int) -> Where:
        return Where(self.label, row=row)


def _spread(count: int) -> list[int]:
    """Indices of a few rows, spread over a table."""
    return sorted({int(row) for row in np.linspace(0, count - 1, min(count, ROWS_LOOKED_AT))})


def _as_text(value: object) -> str:
    """A value as written in a file: in a column with missing values pandas turns the group 1 into 1.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _particles_and_optics(tables: Any) -> tuple[Any, Any]:
    if not isinstance(tables, Mapping):
        return tables, None
    candidates = [frame for name, frame in tables.items() if name != "optics" and has_coordinates(getattr(frame, "columns", ()))]
    if len(candidates) != 1:
        several = "give several sets of particles as a list of tables" if len(candidates) > 1 else None
        raise InputError(
            kind="ambiguous",
            path="table",
            found=f"{len(candidates)} tables with coordinates among {', '.join(map(str, tables))}",
            expected="1",
            remedy=several,
        )
    optics = tables.get("optics")
    if isinstance(optics, Mapping):  # a block without a loop
        optics = type(candidates[0])([dict(optics)])
    return candidates[0], optics


def has_coordinates(labels: Iterable[str]) -> bool:
    """Whether a table with these columns contains particles."""
    present = set(labels)
    return any(
        {f"{name}X{unit}", f"{name}Y{unit}"} <= present for name, unit in (("rlnCoordinate", ""), ("rlnCenteredCoordinate", "Angst"))
    )
