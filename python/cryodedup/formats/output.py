"""What is written where, whatever the format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cryodedup.progress import Progress

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Destination:
    """Where files are written, and where they are moved when all are done."""

    staging: Path
    final: Path
    words: tuple[str, str] = ("kept", "rejected")
    """What the names of the two files end in."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """Holds what was written of a result, for its summary.

    Attributes
    ----------
    written_to
        For each input the name of its file of kept rows; empty: nothing is written.
    outputs
        The names in the directory, a stroke behind those of folders; without the page.
    all_kept
        What to do with all kept particles, if they are in one table or in several files; empty: there is one file.
    """

    written_to: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    all_kept: str = ""
    times_s: Mapping[str, float] = field(default_factory=dict)


NOT_WRITTEN = Written()


class Output(Protocol):
    """How the particles of one input are written; ``stem`` and ``suffix`` are those of its file."""

    @property
    def stem(self) -> str: ...

    @property
    def suffix(self) -> str: ...

    @property
    def files(self) -> Sequence[Path]:
        """The files the rows are copied from."""

    @property
    def row_files(self) -> list[Path]:
        """Those of them that hold particles."""

    @property
    def row_bytes(self) -> int:
        """The size of the rows in these, as far as it is known: the files of the kept and of the rejected together are no smaller."""

    def key(self) -> object:
        """Inputs of equal keys can be written into one file."""

    def write(self, to: Destination, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        """Writes ``<stem>_kept`` and ``<stem>_rejected`` of this input and the others with an equal key; returns notes for the user."""


@runtime_checkable
class HasTable(Output, Protocol):
    """Rows that can be had as a table."""

    def taken(self, mask: Mask) -> Any:
        """Some of the rows, as the kind of table that the field's programs use."""


def by_file(outputs: Sequence[Output]) -> list[tuple[str, list[int]]]:
    """Which inputs are written together, and the stem of their files' names.

    Those of one format and equal columns are joined; the only output of a format is called ``particles``, several have the inputs' names.
    """
    sets: dict[object, list[int]] = {}
    for i, output in enumerate(outputs):
        sets.setdefault((output.suffix, output.key()), []).append(i)
    files: list[tuple[str, list[int]]] = []
    used: set[str] = set()
    for members in sets.values():
        first = outputs[members[0]]
        alone = sum(outputs[other[0]].suffix == first.suffix for other in sets.values()) == 1
        stem = "particles" if alone and first.suffix in (".star", ".cs") else first.stem
        files.append((free_stem(first, stem, used), members))
    return files


def free_stem(output: Output, stem: str, used: set[str]) -> str:
    """The stem, with a number behind it where files of these names are ``used`` already; adds its own to them."""
    name, number = stem, 2
    while used & set(_targets(output, name)):
        name, number = f"{stem}-{number}", number + 1
    used.update(_targets(output, name))
    return name


def _targets(output: Output, stem: str) -> list[str]:
    """The names that the files of the kept take."""
    if output.suffix == ".cs":
        return [f"{stem}_kept.cs", f"{stem}_kept.csg"]
    if output.suffix == "/":
        return [f"{stem}_kept", f"{stem}_kept.star"]  # a folder, and perhaps its index
    return [f"{stem}_kept{output.suffix}"]


class WithoutFile:
    """Writes rows that no file holds by itself."""

    @property
    def row_files(self) -> list[Path]:
        """Files that hold the rows."""
        return []

    @property
    def row_bytes(self) -> int:
        """Bytes of the rows in them."""
        return 0


@dataclass(frozen=True)
class NoOutput(WithoutFile):
    """Writes particles that are part of another input, which is written as a whole."""

    stem: str = ""
    suffix: str = ""
    files: tuple[Path, ...] = ()

    def key(self) -> object:
        return None

    def write(self, to: Destination, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        raise AssertionError("the whole input is written")


@dataclass(frozen=True)
class ParticleRows:
    """Files with several rows a particle, which are kept or rejected together.

    Attributes
    ----------
    rows
        How the rows are written.
    particle_of
        int64 (rows,): the particle of each row.
    """

    rows: Output
    particle_of: NDArray[np.int64]

    @property
    def stem(self) -> str:
        return self.rows.stem

    @property
    def suffix(self) -> str:
        return self.rows.suffix

    @property
    def files(self) -> Sequence[Path]:
        return self.rows.files

    @property
    def row_files(self) -> list[Path]:
        return self.rows.row_files

    @property
    def row_bytes(self) -> int:
        return self.rows.row_bytes

    def key(self) -> object:
        return self.files[0]  # never joined

    def write(self, to: Destination, stem: str, kept: Mask, others: Sequence[tuple[Any, Mask]], progress: Progress) -> list[str]:
        return self.rows.write(to, stem, kept[self.particle_of], [], progress)
