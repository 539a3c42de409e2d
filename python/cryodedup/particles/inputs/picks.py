"""The particles of one input as columns, whatever its format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from cryodedup.errors import Where

if TYPE_CHECKING:
    from cryodedup.formats.output import Output

_JOB = re.compile(r"(?:^|[/>@])([A-Za-z]\w*/job\d+|J\d+)/")
Floats = NDArray[np.float64]
CountedIn = Literal["angstrom", "micrograph", "tomogram", "export"]


def _no_shifts(_key: str) -> tuple[Floats, ...]:
    return ()


def _nothing() -> None: ...


def _where_in_table(label: str, row: int) -> Where:
    return Where(label, row=row)


@dataclass(frozen=True, kw_only=True)
class Micrograph:
    """A micrograph (or tomogram) as an input names it.

    Attributes
    ----------
    uid
        CryoSPARC's, where the input gives it.
    file
        The file of picks that is named after it, or that names it without a directory; ``name`` is then not a path.
    number
        The number of a tomogram in files that number them (Dynamo, STOPGAP); ``name`` then only repeats it.
    sides_px, extent_a
        Its width and height in pixels and in Å, where the input gives them.
    """

    name: str
    uid: int | None = None
    file: str | None = None
    number: int | None = None
    sides_px: tuple[float, float] | None = None
    extent_a: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class PixelSize:
    """A micrograph pixel size of some of an input's particles, and where it was found.

    ``uncertain``: why it may not be that of the coordinates (such as that of the movie before binning); the user's value is then preferred.
    ``conflict``: what in the same file contradicts it, and ``conflicting``: the value there; then the user has to choose.
    """

    of: str
    value_a: float | None
    found_in: str
    uncertain: str = ""
    conflict: str = ""
    conflicting: float | None = None


@dataclass(frozen=True, kw_only=True)
class Scores:
    """A score for each particle; NaN where it is missing."""

    field: str
    values: Floats


@dataclass(frozen=True, kw_only=True)
class Halves:
    """The half-set of each particle, uint8 (n,): 1 or 2, 0 where it is in none; and the column that holds it.

    ``perhaps_unset``: all are 1, and a field that was never set would be read in the same way (CryoSPARC's 0).
    """

    field: str
    values: NDArray[np.uint8]
    perhaps_unset: bool = False


@dataclass(frozen=True, kw_only=True)
class Filaments:
    """Helical segments: uint32 (n,), the filament of each; and the column that gives it."""

    field: str
    filament_of: NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True)
class Picks:
    """The particles of one input.

    Attributes
    ----------
    micrograph_of
        uint32 (n,), index into ``micrographs``.
    stored
        2 or 3 columns (n,): the coordinates as the file gives them; they are compared for a separation of 0.
    position
        2 or 3 columns (n,): the centres before shifts.
    pixel_size_of
        uint32 (n,), index into ``pixel_sizes``; None: all have the first.
    counted_in
        What positions are counted in: ``angstrom``; pixels of the ``micrograph`` (or of the unbinned tilt series), of a reconstructed
        ``tomogram``, which is usually binned, or of the images that Warp exported (``export``).
    centered
        Whether positions are counted from the middle of the tomogram (RELION 5), not from a corner.
    heights_px
        Heights of the micrographs, for an input that may count y from the other edge: (n,) or one for all; None: an input that does not.
    shift_keys
        Which shifts the input has.
    shifts_a
        A function that returns, for one of ``shift_keys``, the columns to be subtracted from the centres, in Å.
    release
        A function that frees what only ``shifts_a`` needs.
    added_shifts
        2 or 3 columns (n,), in pixels: shifts that ``position`` contains and ``stored`` does not; (): none.
    half_vectors
        2 columns (n,): of filaments that are given by their ends, what leads from the middle, which ``position`` is, to one of them; (): of
        particles.
    filaments
        The filament of each helical segment.
    uids
        Unique identifiers, uint64 (n,).
    expanded_from
        The particle each was made from by symmetry expansion, uint64 (n,).
    images
        A function that returns the names of the images of some rows; None: not known.
    jobs
        A function that returns the jobs whose folders hold the images, as far as their paths tell.
    halves
        The half-set of each particle.
    where
        A function that names a row for messages: the file and the line or record.
    """

    label: str
    format: str
    micrographs: Sequence[Micrograph]
    micrograph_of: NDArray[np.uint32]
    stored: tuple[Floats, ...]
    position: tuple[Floats, ...]
    output: Output
    where: Callable[[int], Where]
    counted_in: CountedIn = "micrograph"
    centered: bool = False
    pixel_sizes: Sequence[PixelSize] = ()
    pixel_size_of: NDArray[np.uint32] | None = None
    heights_px: Floats | float | None = None
    shift_keys: frozenset[str] = frozenset()
    shifts_a: Callable[[str], tuple[Floats, ...]] = _no_shifts
    release: Callable[[], None] = _nothing
    scores: Scores | None = None
    uids: NDArray[np.uint64] | None = None
    expanded_from: NDArray[np.uint64] | None = None
    images: Callable[[Sequence[int]], list[str]] | None = None
    jobs: Callable[[], list[str]] = list
    halves: Halves | None = None
    added_shifts: tuple[Floats, ...] = ()
    half_vectors: tuple[Floats, ...] = ()
    filaments: Filaments | None = None
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.micrograph_of)

    def without_readers(self) -> Picks:
        """The same without functions that read from the input: nobody calls them once the job is done, and it can be pickled."""
        where = partial(_where_in_table, self.label)
        return replace(self, shifts_a=_no_shifts, release=_nothing, images=None, jobs=list, where=where)

    def part(self, start: int, end: int) -> Picks:
        """The particles of consecutive rows and their micrographs, without scores, half-sets and filaments."""
        rows = slice(start, end)
        present, of = np.unique(self.micrograph_of[rows], return_inverse=True)
        heights = self.heights_px
        return replace(
            self,
            micrographs=[self.micrographs[i] for i in present],
            micrograph_of=of.reshape(-1).astype(np.uint32),
            stored=tuple(column[rows] for column in self.stored),
            position=tuple(column[rows] for column in self.position),
            pixel_size_of=None if self.pixel_size_of is None else self.pixel_size_of[rows],
            heights_px=heights[rows] if isinstance(heights, np.ndarray) else heights,
            shifts_a=lambda key: tuple(column[rows] for column in self.shifts_a(key)),
            added_shifts=tuple(column[rows] for column in self.added_shifts),
            half_vectors=tuple(column[rows] for column in self.half_vectors),
            uids=None if self.uids is None else self.uids[rows],
            expanded_from=None if self.expanded_from is None else self.expanded_from[rows],
            scores=None,
            images=None,
            halves=None,
            filaments=None,
        )

    @property
    def in_angstrom(self) -> bool:
        """Whether positions are in Å."""
        return self.counted_in == "angstrom"


def jobs_of(images: Iterable[str]) -> list[str]:
    """The jobs whose folders images lie in: RELION's ``Extract/job005``, CryoSPARC's ``J12``."""
    return sorted({found.group(1) for image in images if (found := _JOB.search(image))})


def first_of_each(index: NDArray[np.uint32], count: int) -> NDArray[Any]:
    """For each of ``count`` values, the first row that has it."""
    first = np.zeros(count, np.int64)
    first[index[::-1]] = np.arange(len(index) - 1, -1, -1)
    return first
