"""Tables in memory: what ``starfile.read`` returns becomes a STAR file, records a CryoSPARC dataset with its group."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from cryodedup.errors import InputError, naming
from cryodedup.formats.cryosparc import RecordArray
from cryodedup.formats.cs_group import group_text
from cryodedup.formats.npy import npy_header
from cryodedup.formats.output import Destination, Mask, WithoutFile
from cryodedup.formats.star import has_coordinates
from cryodedup.formats.star_output import is_body
from cryodedup.progress import Progress

_LABEL = re.compile(r"[^\s_#]\S*")
_TEXT = re.compile(r"""(?!["'#;_]|data_|loop_|save_)[^\t\r\n"]*""")
"""What a cell can hold that is quoted if it has blanks, and else written as it is."""


@dataclass(frozen=True, eq=False)
class _InMemory(WithoutFile):
    """A table that was given; ``label``: how messages call it."""

    table: Any
    label: str
    files: Sequence[Path] = ()

    @property
    def stem(self) -> str:
        return self.label.replace(" ", "_")

    def key(self) -> object:
        return id(self)  # never joined


@dataclass(frozen=True, eq=False)
class FrameOutput(_InMemory):
    """A DataFrame, or a dict of DataFrames by block."""

    suffix: str = ".star"

    def taken(self, mask: Mask) -> Any:
        if not isinstance(self.table, Mapping):
            return self.table[mask]
        return {
            name: frame[mask] if is_body(name) or (name != "optics" and has_coordinates(getattr(frame, "columns", ()))) else frame
            for name, frame in self.table.items()
        }

    def write(self, to: Destination, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        import starfile

        for block in self.table.values() if isinstance(self.table, Mapping) else [self.table]:
            _refuse_unwritable(block, self.label)
        for word, mask in zip(to.words, (kept, ~kept), strict=True):
            path, taken = to.staging / f"{stem}_{word}.star", self.taken(mask)
            with naming(path):
                # By default starfile rounds to six decimals; None writes as many digits as give the same number back.
                starfile.write(taken if isinstance(taken, Mapping) else {"": taken}, path, float_format=None, na_rep="nan")
        return []


@dataclass(frozen=True, eq=False)
class RecordsOutput(_InMemory):
    """A structured array, or a ``cryosparc.dataset.Dataset``."""

    suffix: str = ".cs"

    def taken(self, mask: Mask) -> Any:
        return self.table[mask] if isinstance(self.table, np.ndarray) else self.table.mask(mask)

    def write(self, to: Destination, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        given = RecordArray.of(self.table, self.label)
        columns = {name: _without_objects(name, values, self.label) for name, values in given.fields.items()}
        dtype = np.dtype([(name, values.dtype, values.shape[1:]) for name, values in columns.items()])
        for word, mask in zip(to.words, (kept, ~kept), strict=True):
            count = int(mask.sum())
            records = np.empty(count, dtype)
            for name, values in columns.items():
                records[name] = values[mask]
            name = f"{stem}_{word}"
            with naming(to.staging / f"{name}.cs"):
                (to.staging / f"{name}.cs").write_bytes(npy_header(dtype, count) + records.tobytes())
            with naming(to.staging / f"{name}.csg"):
                (to.staging / f"{name}.csg").write_text(group_text([(dtype, f"{name}.cs")], count, word), "utf-8")
        return []


def _refuse_unwritable(block: Any, label: str) -> None:
    """Refuses names of columns, and values, that a STAR file would not give back.

    Raises
    ------
    InputError
        A column's name with blanks; a text that begins as a comment, a label, a block or a quoted text does, or has line ends or tabs; what
        is neither a text nor a number, such as true and false; a missing text or whole number.
    """
    for name in getattr(block, "columns", block):
        if not _LABEL.fullmatch(str(name)):
            raise InputError(
                kind="malformed", path=label, found=f"the column {str(name)!r}", expected="a name without blanks, as STAR files have"
            )
        for value in _uncertain(block[name]):
            if not (_TEXT.fullmatch(value) if isinstance(value, str) else _is_number(value)):
                raise InputError(
                    kind="malformed", path=label, field=name, found=f"{value!r}", expected="a number, or a text that a STAR file can hold"
                )


def _uncertain(values: Any) -> list[object]:
    """The different values of a column, or a value by itself; none of a column that can only have numbers."""
    if not hasattr(values, "isna"):
        return [] if isinstance(values, float) else [values]
    if (kind := values.dtype.kind) == "f" or (kind in "iu" and not values.isna().any()):
        return []
    cells = values.astype(object)
    try:
        return list(cells.unique())
    except TypeError:  # lists, say
        return list(cells)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)


def _without_objects(name: str, values: np.ndarray[Any, Any], label: str) -> np.ndarray[Any, Any]:
    """Names as CryoSPARC's bytes of one length: a Dataset holds them as Python objects."""
    if values.dtype.kind == "O":
        if not all(isinstance(value, str | bytes) for value in values.flat):
            raise InputError(kind="malformed", path=label, field=name, found="Python objects", expected="numbers or text")
        return np.array([value.encode() if isinstance(value, str) else value for value in values.flat], "S").reshape(values.shape)
    return np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values


@dataclass(frozen=True)
class ListOutput:
    """Writes micrographs that were given as files as lists of their paths."""

    names: Sequence[str]
    suffix: str = ".txt"
    files: tuple[Path, ...] = ()

    def write(self, to: Destination, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        """Writes a list for each of ``to.words``, one path per line."""
        for word, mask in zip(to.words, (kept, ~kept), strict=True):
            chosen = [name for name, wanted in zip(self.names, mask, strict=True) if wanted]
            text = "".join(f"{name}\n" for name in chosen)
            path = to.staging / f"{stem}_{word}.txt"
            with naming(path):
                path.write_text(text, "utf-8", "surrogateescape")
        return []
