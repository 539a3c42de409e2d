"""The compiled core. Paths are ``os.PathLike`` or ``str``; ``threads`` 0 is one a processor; long calls end on Ctrl-C."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

_Path: TypeAlias = str | PathLike[str]
_Progress: TypeAlias = Callable[[int], object] | None
_Rewrite: TypeAlias = tuple[int, list[tuple[bytes, bytes]]]
_Frame: TypeAlias = tuple[_Path, int, int, bool, int, int, str]
_Record: TypeAlias = tuple[int, int, int, float, float, int, int]
_Band: TypeAlias = tuple[float, float, float]
_Pairs: TypeAlias = tuple[NDArray[np.uint32], NDArray[np.float32]]
_Screening: TypeAlias = tuple[int, tuple[int, int], int, float, float, int, list[tuple[int, float]]]
_Part: TypeAlias = tuple[bytes, bytes] | tuple[_Path, int, int] | tuple[_Path, Rows, NDArray[np.bool_], _Rewrite | None, bool]

__all__ = [
    "DEBUG_BUILD",
    "LEAST_FOR_PATTERN",
    "MAX_MASKED",
    "Duplicates",
    "HalfPairs",
    "InputError",
    "Preparation",
    "Rows",
    "Session",
    "Table",
    "__version__",
    "cell_spans",
    "components",
    "correlate",
    "deduplicate",
    "half_pairs",
    "kept_at",
    "line_number",
    "nearest",
    "overlaps",
    "prepare_image",
    "read_cells",
    "read_records",
    "reduce_frame",
    "scan_rows",
    "scan_star",
    "split",
    "write_listing",
]

__version__: str
DEBUG_BUILD: bool
LEAST_FOR_PATTERN: int
"""Of fewer micrographs no fixed pattern is taken out."""
MAX_MASKED: float
"""Micrographs of a larger share of NaN or infinite pixels are not used."""

class InputError(ValueError):
    """The user's data or parameters are wrong; one line says where."""

@final
class Duplicates:
    """Which of n particles stay; m are rejected."""

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Whether each particle stays, (n,)."""

    @property
    def rejected(self) -> NDArray[np.int64]:
        """The others, ascending, (m,)."""

    @property
    def duplicate_of(self) -> NDArray[np.int64]:
        """For each of these a particle that it duplicates, (m,)."""

    @property
    def distances(self) -> NDArray[np.float64]:
        """How far it is from that, in the unit of the coordinates, (m,)."""

@final
class HalfPairs:
    """Pairs within a separation, by the half-sets of their particles."""

    @property
    def within_one(self) -> int:
        """Pairs with both in half 1."""

    @property
    def within_two(self) -> int:
        """Pairs with both in half 2."""

    @property
    def across(self) -> int:
        """Pairs with one in each."""

    @property
    def concerned(self) -> int:
        """Particles of either half that have one of the other within the separation."""

@final
class Preparation:
    """The cache of a session while micrographs are prepared into it; threads may share it.

    A record: offset of the pixels, columns, rows, standard deviation, mean, kind (0 image, 1 blank, 2 not finite), masked pixels.
    """

    @staticmethod
    def open(cache: _Path, *, resume: bool) -> Preparation:
        """With ``resume`` what the cache holds stays; else it begins anew."""

    def known(self, keys: Sequence[bytes]) -> list[_Record | None]:
        """The records that the cache held when it was opened."""

    def damaged(self, keys: Sequence[bytes]) -> bool:
        """Whether the cache was damaged when it was opened: torn, or a record of these keys is broken."""

    def read(
        self, frames: Sequence[_Frame], keys: Sequence[bytes], *, bin: int, threads: int, progress: _Progress = None
    ) -> list[tuple[str, _Record | None]]:
        """Reads, reduces and flattens micrographs; for each the reason why it can not be read, or its record."""

    def add(self, image: NDArray[np.float32], key: bytes, *, bin: int) -> _Record:
        """Reduces and flattens an image that is in memory, shape (ny, nx)."""

@final
class Rows:
    """The byte spans of a table's rows in its file."""

    @staticmethod
    def records(start: int, size: int, count: int) -> Rows: ...
    def __len__(self) -> int: ...
    def start(self, row: int) -> int:
        """Offset of a row, or, for ``row == len(self)``, of the end of the last."""

@final
class Session:
    """Micrographs of one size, prepared for comparison."""

    @staticmethod
    def load(
        cache: _Path,
        records: Sequence[_Record],
        *,
        band: _Band,
        maps: Sequence[tuple[tuple[float, float], tuple[float, float]]] = ...,
        threads: int,
        progress: _Progress = None,
    ) -> Session:
        """Takes the fixed pattern out of prepared micrographs, and makes whitened views of them in a band (highpass, lowpass, falloff).

        ``maps``: of each, if any, the matrix from a place in the image that is compared to that in the micrograph.
        """

    @staticmethod
    def of_views(views: NDArray[np.int8], width: int, signal: float) -> Session:
        """Of views at hand, (n, pixels), for measuring."""

    def __len__(self) -> int: ...
    @property
    def view_size(self) -> tuple[int, int]: ...
    @property
    def signal(self) -> NDArray[np.float32]:
        """Share of power that is not shot noise, (n, rings)."""

    def screen(
        self, sensitivity: str, most: float | None, *, turns_deg: Sequence[float], threads: int, progress: _Progress = None
    ) -> tuple[_Pairs, _Pairs, _Screening]:
        """Pairs to be looked at closely (n, 2) and their heights; the same of pairs with mirrored micrographs; what was done."""

    def find(
        self,
        pairs: NDArray[np.uint32],
        most: float | None,
        *,
        mirrored: bool,
        turn_deg: float = 0.0,
        threads: int,
        progress: _Progress = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """For each pair its significance, the shift (n, 2), the significance at zero shift, and that at the next best place."""

    def find_near(
        self, pairs: NDArray[np.uint32], shifts: NDArray[np.float32], turns_deg: NDArray[np.float32], *, threads: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """For each pair its significance at the best shift within a few pixels of a given one (n, 2), and that shift."""

    def confirm(
        self,
        pairs: NDArray[np.uint32],
        shifts: NDArray[np.float32],
        turns_deg: NDArray[np.float32],
        *,
        band: _Band,
        threads: int,
        progress: _Progress = None,
    ) -> NDArray[np.float64]:
        """For each pair x, y, ncc, ccc, overlap, rotation in degrees, scale at the full reduced resolution; (n, 7)."""

@final
class Table:
    """One block of a STAR file."""

    @property
    def block(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def pairs(self) -> list[tuple[str, bytes]]: ...
    @property
    def labels(self) -> list[str]: ...
    @property
    def rows(self) -> Rows: ...
    @property
    def columns(self) -> dict[str, Any]:
        """Numbers: float64 array. Names: (uint32 array of indices, list of distinct bytes). Varying: bool."""

def deduplicate(
    coordinates: NDArray[np.float64],
    groups: NDArray[np.uint32] | None,
    scores: NDArray[np.float64] | None,
    priority: NDArray[np.uint32] | None,
    min_separation: float,
    *,
    remove_entirely: bool,
    threads: int,
    progress: _Progress = None,
) -> Duplicates:
    """Keeps the best of particles within ``min_separation`` (0: of equal coordinates); with ``remove_entirely`` none of them."""

def cell_spans(line: bytes) -> list[tuple[int, int]]:
    """First byte, and the byte after the last, of each cell of a line of a STAR file, quotes included."""

def reduce_frame(frame: _Frame, *, bin: int) -> NDArray[np.float32]:
    """Shape about (ny / bin, nx / bin): the means of bins."""

def nearest(coordinates: NDArray[np.float64], groups: NDArray[np.uint32] | None, reach: float, *, threads: int) -> NDArray[np.float32]:
    """Shape (n,): the distance of the nearest other particle of the group; infinite beyond the reach."""

def half_pairs(
    coordinates: NDArray[np.float64],
    groups: NDArray[np.uint32] | None,
    halves: NDArray[np.uint8],
    separation: float,
    *,
    threads: int,
) -> HalfPairs:
    """Counts pairs within the separation; ``halves``: 1, 2, or 0 for neither."""

def components(
    coordinates: NDArray[np.float64],
    groups: NDArray[np.uint32] | None,
    scores: NDArray[np.float64] | None,
    priority: NDArray[np.uint32] | None,
    separation: float,
    *,
    threads: int,
) -> NDArray[np.uint32]:
    """Shape (n,): the best of the particles each is connected with by steps within the separation."""

def kept_at(
    coordinates: NDArray[np.float64],
    groups: NDArray[np.uint32] | None,
    scores: NDArray[np.float64] | None,
    priority: NDArray[np.uint32] | None,
    separations: Sequence[float],
    *,
    threads: int,
) -> list[int]:
    """How many particles stay at each separation."""

def overlaps(
    coordinates: NDArray[np.float64],
    groups: NDArray[np.uint32] | None,
    sources: NDArray[np.uint32],
    n_sources: int,
    min_separation: float,
    *,
    threads: int,
) -> NDArray[np.uint64]:
    """Shape (n_sources, n_sources): how many particles of the first source have one of the second within the separation."""

def write_listing(
    path: _Path,
    rejected: NDArray[np.uint64],
    kept: NDArray[np.uint64],
    distances_a: NDArray[np.float64],
    coordinates_a: NDArray[np.float64],
    micrograph_of: NDArray[np.uint32],
    micrographs: Sequence[str],
    scores: NDArray[np.float64] | None,
    uids: NDArray[np.uint64] | None,
    sources: Sequence[tuple[str, int, bool]],
    *,
    threads: int,
) -> None:
    """Writes ``duplicates.csv``."""

def read_records(
    path: _Path,
    start: int,
    size: int,
    count: int,
    fields: Sequence[tuple[int, str]],
    *,
    threads: int,
    progress: _Progress = None,
) -> list[Any]:
    """For each field (offset, type): float64 for numbers, uint64 for ``uid``, names for ``S<length>``."""

def prepare_image(image: NDArray[np.float32], *, bin: int, band: _Band) -> NDArray[np.float32]:
    """Reduces, flattens, fades and filters an image."""

def correlate(
    first: NDArray[np.float32], second: NDArray[np.float32], *, most: float | None = None
) -> tuple[tuple[float, float], float, float, float, float]:
    """Shift, ncc, ccc, overlap and z of two images at their best shift."""

def line_number(path: _Path, offset: int) -> int:
    """The number, from 1, of the line that holds the offset."""

def split(parts: Sequence[_Part], kept: _Path, rejected: _Path, *, progress: _Progress = None) -> None:
    """Writes two files from texts (kept, rejected), spans (path, start, end) and rows (path, rows, mask, rewrite, end_line)."""

def read_cells(path: _Path, rows: Rows) -> list[list[bytes]]:
    """All cells of a small table."""

def scan_star(
    paths: Sequence[_Path],
    *,
    numbers: Sequence[str],
    names: Sequence[str],
    varying: Sequence[str],
    threads: int,
    progress: _Progress = None,
) -> list[list[Table]]:
    """The tables of each file, with those of the wanted columns that they have."""

def scan_rows(
    paths: Sequence[_Path],
    starts: Sequence[int],
    labels: Sequence[Sequence[str]],
    *,
    numbers: Sequence[str],
    names: Sequence[str],
    threads: int,
    progress: _Progress = None,
) -> list[Table]:
    """As :func:`scan_star` for files of rows without a STAR head, each with its own labels."""
