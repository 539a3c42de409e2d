"""The choice of an earlier run applied to other files, and how they are written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.apply.earlier import Chosen
from cryodedup.apply.matching import Match
from cryodedup.apply.rows import FileRows
from cryodedup.apply.verdicts import BOTH, REJECTED, UNKNOWN
from cryodedup.errors import InputError
from cryodedup.formats.output import NOT_WRITTEN, Destination, Written, free_stem
from cryodedup.frozen import FrozenResult
from cryodedup.names import named
from cryodedup.progress import Progress
from cryodedup.text import count

SCHEMA = "cryodedup.apply/1"
EXAMPLES = 3
"""Number of rows not found that are named."""


@dataclass(frozen=True)
class AppliedFile:
    """The choice for the rows of one file.

    Attributes
    ----------
    rows
        What the rows are of.
    match
        The verdict of the earlier result on each row, and the identity it was found by.
    stem
        What the names of the two files that are written begin with.
    of
        What the earlier run chose among: ``particles`` or ``micrographs``.
    """

    rows: FileRows
    match: Match
    stem: str
    of: Chosen

    @property
    def label(self) -> str:
        return self.rows.label

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Mask of the rows that are kept, bool (n,): all but those that the result rejects for certain."""
        return np.asarray(self.match.verdicts != REJECTED)

    @property
    def not_found(self) -> NDArray[np.bool_]:
        """Mask of the rows that the earlier run did not see; they are kept."""
        return np.asarray(self.match.verdicts == UNKNOWN)

    @property
    def undecided(self) -> NDArray[np.bool_]:
        """Mask of the rows that are at the position (or have the uid) of both a kept and a rejected particle; they are kept."""
        return np.asarray(self.match.verdicts == BOTH)

    @property
    def words(self) -> tuple[str, str]:
        """Returns what the names of the two files end in."""
        return "kept", "removed" if self.rows.lists == "micrographs" else "rejected"

    def written_to(self, which: int) -> str:
        """The name of the file of the kept (0) or of the others (1)."""
        return f"{self.stem}_{self.words[which]}{self.rows.output.suffix}"

    def named(self, mask: NDArray[np.bool_]) -> tuple[str, ...]:
        """A few of some rows: of a choice among micrographs these, of one among particles the rows."""
        chosen = np.flatnonzero(mask)
        if self.of == "micrographs" and self.rows.micrographs:
            _, first = np.unique(self.rows.micrograph_of[chosen], return_index=True)
            return tuple(self.rows.micrographs[self.rows.micrograph_of[chosen[i]]].name for i in np.sort(first)[:EXAMPLES])
        return tuple(str(self.rows.where(int(row))) for row in chosen[:EXAMPLES])

    @cached_property
    def not_found_examples(self) -> tuple[str, ...]:
        """A few of :attr:`not_found`."""
        return self.named(self.not_found)

    @cached_property
    def undecided_examples(self) -> tuple[str, ...]:
        """A few of :attr:`undecided`."""
        return self.named(self.undecided)

    def summary(self) -> dict[str, Any]:
        """Returns what ``summary.json`` holds of the file."""
        return {
            "input": self.label,
            "lists": self.rows.lists,
            "rows": len(self.rows),
            "kept": int(self.kept.sum()),
            "rejected": int((~self.kept).sum()),
            "not_found": int(self.not_found.sum()),
            "not_found_examples": list(self.not_found_examples),
            "undecided": int(self.undecided.sum()),
            "undecided_examples": list(self.undecided_examples),
            "matched_by": self.match.by,
            "matched_by_name_example": self.match.name_example,
            "written_to": [self.written_to(which) for which in (0, 1)],
        }

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Returns what was not found, and what could not be decided."""
        versions = "they are removed here as well; another version of the exposure may be kept (see versions.csv of the earlier result)"
        unseen = "they are kept; if they may have duplicates, repeat the earlier command with this file"
        undecided = "they are kept; to decide between them, run cryodedup particles on this file"
        texts = list(self.match.warnings)
        for mask, seen, meaning in (
            (self.not_found, "not found in the earlier result", unseen),
            (self.match.versions, "of micrographs that were removed as versions of an exposure", versions),
            (self.undecided, "match both a kept and a rejected particle", undecided),
        ):
            if mask is not None and mask.any():
                few = "; ".join(self.named(mask))
                texts.append(f"{self.label}: {int(mask.sum()):,} of {count(len(mask), 'row')} {seen} (such as {few}); {meaning}")
        return tuple(texts)


@dataclass(frozen=True, kw_only=True)
class AppliedChoice(FrozenResult):
    """The choice of an earlier run for other files.

    Attributes
    ----------
    directory
        That of the earlier result.
    of
        What that run chose among: ``particles`` or ``micrographs``.
    files
        In the order they were given: :class:`AppliedFile`.
    inputs
        Real paths of all that was read: none of them is written to.
    """

    directory: Path
    of: Chosen
    files: tuple[AppliedFile, ...]
    inputs: frozenset[Path]

    @property
    def warnings(self) -> list[str]:
        """Returns what was not found, and what could not be decided, file by file."""
        return [warning for file in self.files for warning in file.warnings]

    def summary(self, outputs: Sequence[str] = ()) -> dict[str, Any]:
        """Returns what ``summary.json`` holds; ``schema`` names its version."""
        return {
            "schema": SCHEMA,
            "cryodedup": _core.__version__,
            "result": str(self.directory),
            "chosen_among": self.of,
            "files": [file.summary() for file in self.files],
            "outputs": list(outputs),
            "warnings": self.warnings,
        }

    def write_rows(self, staging: Path, directory: Path, progress: Progress) -> Written:
        """Writes the kept and the rejected rows of each file into a staged directory."""
        for file in self.files:
            file.rows.output.write(Destination(staging, directory, file.words), file.stem, file.kept, [], progress)
        return NOT_WRITTEN

    def refuse_own(self, directory: Path) -> None:
        """The earlier result stays as it is: its summary is what it is known by."""
        refuse_same(self.directory, directory)


def refuse_same(directory: Path, output: Path) -> None:
    """Refuses the directory of the earlier result as that of the new files."""
    if os.path.realpath(directory) == os.path.realpath(output):
        raise InputError(kind="exists", path=output, found=f"the earlier result as {named('directory')}", expected="another directory")


def with_stems(judged: Sequence[tuple[FileRows, Match]], of: Chosen) -> tuple[AppliedFile, ...]:
    """Names what is written after the files; equal names are numbered."""
    used: set[str] = set()
    return tuple(AppliedFile(rows, match, free_stem(rows.output, rows.output.stem, used), of) for rows, match in judged)
