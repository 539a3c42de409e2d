"""Rejected rows whose kept partner is in none of the files: then no particle of the two is left."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryodedup.apply.earlier import RESTORE, ChosenParticles, there
from cryodedup.apply.verdicts import NOTHING, REJECTED, Verdicts
from cryodedup.errors import InputError
from cryodedup.output_directory import LISTING
from cryodedup.text import count, name_in


@dataclass(frozen=True)
class Seen:
    """Which particles of an earlier result the rows of a file are.

    Attributes
    ----------
    present
        Mask of the particles of the result that have a row, bool (n,).
    rejected_as
        For each row the index of a rejected particle that it may be, or -1; int64 (m,).
    """

    present: NDArray[np.bool_]
    rejected_as: NDArray[np.int64]

    @classmethod
    def of(cls, known: NDArray[np.uint64], verdicts: Verdicts, asked: NDArray[np.uint64]) -> Seen:
        """By equal identities; see :func:`~cryodedup.apply.verdicts.look_up`."""
        rejected = np.flatnonzero((verdicts == REJECTED) & (known != NOTHING))
        rejected_as = np.full(len(asked), -1, np.int64)
        if len(rejected):
            numbers, first = np.unique(known[rejected], return_index=True)
            at = np.minimum(np.searchsorted(numbers, asked), len(numbers) - 1)
            rejected_as = np.where(numbers[at] == asked, rejected[first[at]], -1)
        return cls(np.isin(known, asked) & (known != NOTHING), rejected_as)

    def or_else(self, other: Seen) -> Seen:
        """By another identity of the same rows, where this one does not find them."""
        return Seen(self.present | other.present, np.where(self.rejected_as < 0, other.rejected_as, self.rejected_as))


def joined(parts: Sequence[Seen]) -> Seen:
    """By the particles of several inputs of the run, one after another."""
    starts = np.cumsum([0, *(len(part.present) for part in parts)])
    found = [np.where(part.rejected_as < 0, -1, part.rejected_as + start) for part, start in zip(parts, starts, strict=False)]
    return Seen(np.concatenate([part.present for part in parts]), np.max(found, axis=0))


def lost(directory: Path, chosen: Sequence[ChosenParticles], files: Sequence[tuple[str, Verdicts, Seen]]) -> dict[str, str]:
    """By the labels of files a warning about their rejected rows of which the kept partner is in none of the files."""
    if not any((verdicts == REJECTED).any() for _, verdicts, _ in files):
        return {}
    kept = np.concatenate([one.verdicts != REJECTED for one in chosen])
    missing = kept & ~np.logical_or.reduce([seen.present for _, _, seen in files])
    if not missing.any():
        return {}
    partners = kept_partners(directory, chosen)
    where = "this file" if len(files) == 1 else f"any of the {len(files)} files"
    found = {}
    for label, verdicts, seen in files:
        of_rows = partners[seen.rejected_as[(verdicts == REJECTED) & (seen.rejected_as >= 0)]]
        number = int(missing[of_rows[of_rows >= 0]].sum())
        if number:
            found[label] = (
                f"{label}: {count(number, 'row')} rejected as duplicates of kept particles that are not in {where}, so these particles are"
                " lost; to keep one of each, run cryodedup particles on what you have"
            )
    return found


def kept_partners(directory: Path, chosen: Sequence[ChosenParticles]) -> NDArray[np.int64]:
    """For each particle of the result the index of the kept one that it duplicates, int64 (n,).

    -1 for those that are kept, and where the run removed all of a set of duplicates.

    Raises
    ------
    InputError
        ``duplicates.csv`` is not there, or does not fit the other files of the result.
    """
    path = there(directory, LISTING)
    sources = {one.source: i for i, one in enumerate(chosen)}
    rejected: list[array[int]] = [array("q") for _ in chosen]
    partner_of: list[array[int]] = [array("q") for _ in chosen]
    partner_row: list[array[int]] = [array("q") for _ in chosen]
    try:
        for source, row, kept_source, kept_row in _cells(path):
            i = sources[source]
            rejected[i].append(int(row))
            partner_of[i].append(sources[kept_source] if kept_row else -1)
            partner_row[i].append(int(kept_row or 0))
        indices = [_Rows.of(one, np.array(rows, np.int64)) for one, rows in zip(chosen, rejected, strict=True)]
        starts = np.cumsum([0, *(len(one.verdicts) for one in chosen)])
        found = np.full(starts[-1], -1, np.int64)
        for i, rows in enumerate(indices):
            of, at = np.array(partner_of[i], np.int64), np.array(partner_row[i], np.int64)
            for k in np.unique(of[of >= 0]).tolist():
                found[starts[i] + rows.kept + np.flatnonzero(of == k)] = starts[k] + indices[k].rank_of_kept(at[of == k])
    except (ValueError, KeyError, OverflowError, IndexError):
        raise InputError(
            kind="contradiction",
            path=path,
            found="rows that do not fit the other files",
            expected="the table that the run wrote",
            remedy=RESTORE,
        ) from None
    return found


def _cells(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Source, row, source and row of the kept one."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        try:
            rows = csv.reader(file)
            head = next(rows, [])
            source, row, kept_source, kept_row = (head.index(name) for name in ("source", "row", "kept_source", "kept_row"))
            names: dict[str, str] = {}
            for cells in rows:
                pair = cells[source], cells[kept_source]
                for cell in pair:
                    if cell not in names:
                        names[cell] = name_in(cell)
                yield names[pair[0]], cells[row], names[pair[1]], cells[kept_row]
        except csv.Error as error:
            raise ValueError from error


@dataclass(frozen=True)
class _Rows:
    """Where the rows of an input are among the particles of the result: the kept ones first, then the rejected ones."""

    rejected: NDArray[np.int64]
    kept: int

    @classmethod
    def of(cls, one: ChosenParticles, rejected: NDArray[np.int64]) -> _Rows:
        kept = int((one.verdicts != REJECTED).sum())
        fits = len(rejected) == len(one.verdicts) - kept and (np.diff(rejected) > 0).all()
        if not fits or (len(rejected) and not 0 <= rejected[0] <= rejected[-1] < len(one.verdicts)):
            raise ValueError
        return cls(rejected, kept)

    def rank_of_kept(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        before = np.searchsorted(self.rejected, rows)
        rank = rows - before
        is_rejected = self.rejected[np.minimum(before, len(self.rejected) - 1)] == rows if len(self.rejected) else np.zeros(len(rows), bool)
        if is_rejected.any() or (rank < 0).any() or (rank >= self.kept).any():
            raise ValueError
        return rank
