"""How much memory and disk a run needs at least: before the files are read, and before the search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryodedup.formats import cryosparc as cs
from cryodedup.formats.detect import Kind
from cryodedup.particles.inputs.picks import Picks
from cryodedup.progress import SILENT, Progress
from cryodedup.system.resources import check_memory, memory_available, size_words

BASE_BYTES = 45_000_000
"""Memory of Python and its libraries."""
PARTICLE_BYTES = 50
"""Memory of a run for each particle, beyond :data:`BASE_BYTES`, which are there when this is asked.

A particle with no more than a position takes 56 bytes (of a dataset) or 60; with scores and half-sets, in 2D, 79 (10 million rows).
"""
MAX_PARTICLE_BYTES = 130
"""Somewhat more than was measured for any input: 126, for subtomograms with angles and origins."""
RESERVED_BYTES = 50_000_000
"""What threads reserve beyond that, where addresses are limited: a million rows failed with 145 MB, and more. Running out of them ends the
process, so that less than :data:`RESERVED_BYTES` and 100 bytes for each particle, as STAR files with scores take, is refused."""
RESERVED_PARTICLE_BYTES = 100
SHARE = 0.9
"""The share of the rows that the length of some lines makes expect on which a forecast counts."""
_SAMPLE_BYTES, _MAX_SAMPLED = 32 << 10, 16


@dataclass(frozen=True)
class Forecast:
    """Holds what a run needs at least, beyond Python itself: ``memory`` and ``disk`` in bytes; ``rows``: how many particles it has."""

    rows: int
    memory: int
    disk: int

    @classmethod
    def of(cls, picks: Sequence[Picks]) -> Forecast:
        """Estimates from inputs that were read: the files of the kept and of the rejected together hold every row once."""
        rows = sum(map(len, picks))
        return cls(rows, memory_needed(rows), sum(pick.output.row_bytes for pick in picks))

    def __str__(self) -> str:
        available = memory_available()
        there = "" if available is None else f" ({size_words(available.size)} {available.limit})"
        least, most = (size_words(BASE_BYTES + needed) for needed in (self.memory, MAX_PARTICLE_BYTES * self.rows))
        return (
            f"a run needs {least} to {most} of memory{there} and {size_words(self.disk)} of disk (estimated from the columns of its files)"
        )

    def summary(self) -> dict[str, int]:
        """For the output as JSON."""
        return {"min_memory_bytes": self.memory, "min_disk_bytes": self.disk}


def memory_needed(rows: int) -> int:
    """Bytes that a run on so many particles takes at least."""
    return PARTICLE_BYTES * rows


def refuse_too_large(kinds: Iterable[tuple[Path, Kind]], progress: Progress = SILENT) -> None:
    """Refuses inputs whose particles surely do not fit into memory, from the sizes of the files and some of their lines.

    If it depends on their columns whether they fit, ``progress`` gets a warning.

    Raises
    ------
    InputError
        They do not fit.
    """
    kinds = list(kinds)
    rows = min_rows(kinds)
    first = str(kinds[0][0]) if kinds else ""
    more = f" and {len(kinds) - 1:,} more" if len(kinds) > 1 else ""
    what, available = f"{first}{more}, about {rows:,} particles", memory_available()
    limited = available is not None and available.of_addresses
    check_memory(RESERVED_BYTES + RESERVED_PARTICLE_BYTES * rows if limited else memory_needed(rows), what, available)
    if available is not None and available.size < (most := MAX_PARTICLE_BYTES * rows):
        progress.note(
            f"warning: {what}: may need up to {size_words(most)} of memory, found {available}; if it fails, use a machine with more"
        )


def min_rows(kinds: Iterable[tuple[Path, Kind]]) -> int:
    """How many particles files have at least, nearly; files that name others (indices, groups) count as empty.

    Datasets of equal numbers of records count once: they may be the main and the passthrough file of one job.
    """
    lists: dict[Path, list[Path]] = {}
    records = set()
    for path, kind in kinds:
        if kind == "npy":
            records.add(len(cs.NpyFile.open(path)))
        elif kind == "folder":
            lists[path] = [entry for entry in path.iterdir() if entry.is_file()]
        elif kind not in ("csg", "csdat"):
            lists.setdefault(path.parent / path.suffix, []).append(path)
    return sum(records) + int(SHARE * _text_rows(lists))


def _text_rows(lists: Mapping[Path, Sequence[Path]]) -> float:
    """The rows of files of text; ``lists``: files of one kind. Of many files the largest are looked at."""
    rows = 0.0
    for files in lists.values():
        sizes = sorted(((file.stat().st_size, file) for file in files), reverse=True)
        lengths = [_line_length(file, size) for size, file in sizes[:_MAX_SAMPLED]]
        lengths += [max(lengths, default=1.0)] * (len(sizes) - len(lengths))
        rows += sum(size / length for (size, _), length in zip(sizes, lengths, strict=True))
    return rows


def _line_length(path: Path, size: int) -> float:
    """The length of lines in bytes: the longest of the means at three points of a file; its size if it has no whole lines there."""
    found = []
    with path.open("rb") as file:
        for share in (0.25, 0.5, 0.75):
            file.seek(int(share * size))
            ends = np.flatnonzero(np.frombuffer(file.read(_SAMPLE_BYTES), np.uint8) == ord("\n"))
            if len(ends) > 1:
                found.append(float(ends[-1] - ends[0]) / (len(ends) - 1))
    return max(found, default=float(max(1, size)))
