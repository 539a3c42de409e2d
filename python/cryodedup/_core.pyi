"""The compiled core. Paths are ``os.PathLike`` or ``str``; long calls end on Ctrl-C.

``threads`` 0 is one for each processor, as many as :func:`set_processors` was given.
"""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Protocol, TypeAlias, final, type_check_only

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

_Path: TypeAlias = str | PathLike[str]
_Progress: TypeAlias = Callable[[int], object] | None
_Band: TypeAlias = tuple[float, float, float]

__all__ = [
    "DEBUG_BUILD",
    "DOUBTFUL_Z",
    "FIRST_COMPARED",
    "INSTRUCTION_SET",
    "MAX_MASKED",
    "MIN_FOR_FIXED_PATTERN",
    "MIN_FOR_NULL",
    "MIRRORED_CAUTION",
    "NEAR_ZERO_PX",
    "RANDOM_PAIRS",
    "USUAL_MIDDLE_Z",
    "Block",
    "Collection",
    "Comparisons",
    "Confirmed",
    "Correlation",
    "Decisions",
    "Duplicates",
    "Frame",
    "HalfPairs",
    "Matches",
    "Null",
    "NullBulk",
    "NullTail",
    "Part",
    "Preparation",
    "Record",
    "Rewrite",
    "Rows",
    "Screening",
    "Search",
    "Session",
    "Table",
    "__version__",
    "available_processors",
    "cell_spans",
    "components",
    "correlate",
    "deduplicate",
    "find_records",
    "half_pairs",
    "kept_at",
    "line_number",
    "load_numpy",
    "nearest",
    "overlaps",
    "picture",
    "prepare_image",
    "read_cells",
    "read_pixels",
    "read_records",
    "reduce_frame",
    "scan_rows",
    "scan_star",
    "set_processors",
    "split",
    "thumbnails",
    "write_listing",
]

__version__: str
DEBUG_BUILD: bool
FIRST_COMPARED: int
"""Number of micrographs from which on they are compared during data collection."""
RANDOM_PAIRS: int
"""Number of random pairs that are compared where not all pairs are."""
DOUBTFUL_Z: float
"""Pairs of lower significance have no correlation coefficient."""
USUAL_MIDDLE_Z: float
"""A session is unusual if half of the unrelated pairs reach more."""
MIN_FOR_NULL: int
"""With fewer pairs, a null distribution is not known."""
MIRRORED_CAUTION: float
"""Unrelated pairs are taken to be so many times as likely to reach a significance as mirrored ones."""
NEAR_ZERO_PX: float
"""Shifts up to this, in reduced pixels along each axis, may be none."""
MIN_FOR_FIXED_PATTERN: int
"""With fewer micrographs no fixed pattern is subtracted."""
INSTRUCTION_SET: str
"""The processor's instructions that results depend on, by rounding."""
MAX_MASKED: float
"""Micrographs of a larger share of NaN or infinite pixels are not used."""

@final
class Part:
    """One piece of the two files that :func:`split` writes."""

    @staticmethod
    def text(kept: bytes, rejected: bytes) -> Part:
        """Different texts at the same place."""

    @staticmethod
    def span(path: _Path, start: int, end: int) -> Part:
        """A span of a file, into both."""

    @staticmethod
    def rows(path: _Path, rows: Rows, kept: NDArray[np.bool_], *, rewrites: Sequence[Rewrite] = ..., end_line: bool = False) -> Part:
        """Rows of a file, each into one of the two, and what is between them into both.

        ``rewrites``: cells that are written differently, at most one rewrite a column. ``end_line``: the last row ends with a newline even
        if it has none in its file.
        """

@final
class Rewrite:
    """Cells of one column, counted from 0, that are written differently; all else stays as it is, byte for byte."""

    @staticmethod
    def replace(column: int, values: Sequence[tuple[bytes, bytes]]) -> Rewrite:
        """New texts for old ones (without quotes), in all rows."""

    @staticmethod
    def other_half(column: int, moves: NDArray[np.bool_]) -> Rewrite:
        """2 for 1 and 1 for 2, in the rows that move; ``1.000000`` becomes ``2.000000``."""

@final
class Frame:
    """Where and how the pixels of a micrograph stand in its MRC file.

    Parameters
    ----------
    start
        Bytes in front of the first pixel, in the unpacked file.
    mode
        0 int8, 1 int16, 2 float32, 6 uint16, 12 float16.
    nx, ny
        Columns and rows.
    swapped
        Whether the bytes of a pixel are in the other order than this machine's.
    packing
        ``""``, ``"gz"`` or ``"bz2"``.
    """

    def __new__(cls, path: _Path, *, start: int, mode: int, nx: int, ny: int, swapped: bool = False, packing: str = "") -> Frame: ...

@final
class Record:
    """A prepared micrograph in a cache: reduced and flattened."""

    @property
    def width(self) -> int:
        """Columns, reduced pixels."""

    @property
    def height(self) -> int:
        """Rows."""

    @property
    def sd(self) -> float:
        """Standard deviation of the pixels."""

    @property
    def mean(self) -> float:
        """Mean of the reduced micrograph before it was flattened, in the units of its file."""

    @property
    def kind(self) -> str:
        """``"image"``, ``"blank"`` (every pixel has one value) or ``"not finite"`` (more than :data:`MAX_MASKED` are no numbers)."""

    @property
    def masked_px(self) -> int:
        """Pixels of the micrograph that are NaN or infinite."""

    @property
    def checksum(self) -> int:
        """CRC-32 of the pixels as they are stored, which every reading of a whole record checks."""

@type_check_only
class _Points(Protocol):
    """Columns of particles: see :class:`cryodedup.particles.points.Points`."""

    @property
    def coordinates(self) -> NDArray[np.float64]: ...
    @property
    def groups(self) -> NDArray[np.uint32] | None: ...
    @property
    def scores(self) -> NDArray[np.float64] | None: ...
    @property
    def priority(self) -> NDArray[np.uint32] | None: ...

@final
class Duplicates:
    """The decision about n particles, of which m are rejected."""

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
        """The distance to that one, in the unit of the coordinates, (m,)."""

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
    """The cache of a session while micrographs are prepared into it; threads may share it."""

    @staticmethod
    def open(cache: _Path, *, resume: bool) -> Preparation:
        """With ``resume`` what the cache holds stays; else it begins anew."""

    @staticmethod
    def is_cache(path: _Path) -> bool:
        """Whether a file begins as a cache does."""

    def known(self, keys: Sequence[bytes]) -> list[Record | None]:
        """The records that the cache held when it was opened; keys are of 16 bytes."""

    def damaged(self, keys: Sequence[bytes]) -> bool:
        """Whether the cache was damaged when it was opened: torn, or a record of these keys is broken."""

    def read(
        self, frames: Sequence[Frame], keys: Sequence[bytes], *, bin: int, threads: int, progress: _Progress = None
    ) -> list[Record | str]:
        """Reads, reduces and flattens micrographs; of each its record, or the reason why it can not be read.

        ``progress`` gets the bytes read.
        """

    def add(self, image: NDArray[np.float32], key: bytes, *, bin: int) -> Record:
        """Reduces and flattens an image that is in memory, shape (ny, nx)."""

    def copy(self, record: Record) -> Record:
        """Adds a copy of a record of another cache; it has no key."""

    def add_like(self, image: NDArray[np.float64], record: Record) -> Record:
        """Adds a prepared image, shape (height, width), in standard deviations of a record, in whose place it is used; it has no key."""

    def truncate_after(self, record: Record) -> None:
        """Removes what was added after a record."""

def find_records(caches: Sequence[_Path], keys: Sequence[bytes], *, threads: int, progress: _Progress = None) -> list[Record | None]:
    """Finds the records of some keys in several caches; None for one that none of them holds."""

@final
class Rows:
    """The byte spans of a table's rows in its file; what is read later by them is refused if the file was changed since."""

    def __new__(cls, state: bytes) -> Self: ...
    def __getnewargs__(self) -> tuple[bytes]: ...
    @staticmethod
    def records(path: _Path, start: int, size: int, count: int) -> Rows: ...
    def __len__(self) -> int: ...
    def start(self, row: int) -> int:
        """Offset of a row, or, for ``row == len(self)``, of the end of the last."""

@type_check_only
class _Alignments(Protocol):
    """Pairs (n, 2); the shifts that superimpose the second on the first (n, 2), reduced pixels; the rotation of the first (n,), degrees."""

    @property
    def pairs(self) -> NDArray[np.uint32]: ...
    @property
    def shift_reduced_px(self) -> NDArray[np.float64]: ...
    @property
    def turn_deg(self) -> NDArray[np.float64]: ...

@final
class Screening:
    """The screening plan."""

    @property
    def pairs(self) -> int:
        """Pairs that there are."""

    @property
    def grid(self) -> tuple[int, int] | None:
        """Columns and rows of the grid; None: nothing is screened, all pairs are refined."""

    @property
    def pool_size(self) -> int:
        """Micrographs that are tested by one correlation; 1: each pair by itself."""

    @property
    def min_z(self) -> float:
        """Height of a pair's peak, in standard deviations, from which it passes."""

    @property
    def min_z_of_pool(self) -> float:
        """The same of a pool."""

    @property
    def predicted_recall(self) -> list[tuple[int, float]]:
        """Pool sizes that were considered, and the share of planted pairs of overlap 0.3 that each finds."""

@type_check_only
class _Stages(Protocol):
    """Receives the stages of a job (``cryodedup.progress.Progress``)."""

    def stage(self, name: str, total: int | None = None) -> None: ...
    def advance_to(self, done: int) -> None: ...

@type_check_only
class _Columns(Protocol):
    """Anything with the columns of :class:`Comparisons`."""

    @property
    def at(self) -> NDArray[np.uint64]: ...
    @property
    def pairs(self) -> NDArray[np.uint32]: ...
    @property
    def shift_reduced_px(self) -> NDArray[np.float64]: ...
    @property
    def turn_deg(self) -> NDArray[np.float64]: ...
    @property
    def z(self) -> NDArray[np.float64]: ...
    @property
    def z_next(self) -> NDArray[np.float64]: ...
    @property
    def z_at_zero(self) -> NDArray[np.float64]: ...

@type_check_only
class _Criteria(Protocol):
    """The criteria of a decision: see ``cryodedup.micrographs.compare.Criteria``."""

    @property
    def holes(self) -> NDArray[np.uint32]: ...
    @property
    def shots(self) -> NDArray[np.uint32]: ...
    @property
    def fdr(self) -> float: ...
    @property
    def threshold(self) -> float | None: ...
    @property
    def band(self) -> _Band: ...
    @property
    def first(self) -> int: ...
    @property
    def measure_all(self) -> bool: ...
    @property
    def share_patterns(self) -> bool: ...

@final
class Comparisons:
    """Pairs that were compared, one row each, at their best shift."""

    @property
    def at(self) -> NDArray[np.uint64]:
        """Numbers by which pairs of several blocks are put into one order, ascending."""
    @property
    def pairs(self) -> NDArray[np.uint32]:
        """(n, 2): the two micrographs, the earlier first."""
    @property
    def shift_reduced_px(self) -> NDArray[np.float64]:
        """(n, 2): the shift (x, y), in reduced pixels, that superimposes the second on the first."""
    @property
    def turn_deg(self) -> NDArray[np.float64]:
        """The rotation of the first, degrees from x to y."""
    @property
    def z(self) -> NDArray[np.float64]:
        """The significance at that shift."""
    @property
    def z_next(self) -> NDArray[np.float64]:
        """The significance of the next best shift."""
    @property
    def z_at_zero(self) -> NDArray[np.float64]:
        """The significance at zero shift."""

@final
class Block:
    """Some of the pairs of a session: candidates for duplicates (``len``: their number), pairs with mirrored micrographs, random ones."""

    def __new__(cls, candidates: _Columns, mirrored: _Columns, random: _Columns) -> Block: ...
    @staticmethod
    def join(blocks: Sequence[Block]) -> Block:
        """All pairs, in the order that they have in one block."""
    @property
    def candidates(self) -> Comparisons: ...
    @property
    def mirrored(self) -> Comparisons: ...
    @property
    def random(self) -> Comparisons: ...
    def __len__(self) -> int: ...

@final
class NullTail:
    """The upper tail of a null distribution: values above ``start`` are exponential of mean ``start + scale``."""

    @property
    def start(self) -> float: ...
    @property
    def scale(self) -> float: ...
    @property
    def rate(self) -> float:
        """The share of all tested pairs above ``start``, times :data:`MIRRORED_CAUTION`."""
    @property
    def values(self) -> NDArray[np.float64]:
        """The values it was fitted to, descending."""

@final
class NullBulk:
    """The bulk of a null distribution, that of the largest of many (Gumbel)."""

    @property
    def middle(self) -> float: ...
    @property
    def spread(self) -> float: ...

@final
class Null:
    """The null distributions of a session."""

    def __new__(cls, state: bytes) -> Self: ...
    def __getnewargs__(self) -> tuple[bytes]: ...
    @property
    def mirrored(self) -> NullTail:
        """The tail for pairs with a mirrored micrograph."""
    @property
    def cohort(self) -> NullBulk | None:
        """The bulk for other pairs; None if they are few."""
    @property
    def periodic(self) -> float:
        """The share of the cohort that matches at several shifts."""
    @property
    def has_pattern(self) -> bool:
        """Whether the camera's fixed pattern is still in the micrographs, since they are too few to measure it."""
    @property
    def is_usual(self) -> bool:
        """Whether unrelated pairs reach about what they do in other sessions."""
    def standard(self, z: float, overlap: float) -> float:
        """Converts a significance to one as unlikely at the usual overlap."""
    def beyond(self, z: float) -> float:
        """Returns the chance that an unrelated pair has at least this standard significance."""
    def least_z(self, chance: float) -> float:
        """Returns the lowest standard significance that an unrelated pair reaches with at most this chance."""

@final
class Decisions:
    """Pairs that were decided on, one row each: the accepted ones, or, if all were measured, all; and the null distributions."""

    @property
    def null(self) -> Null: ...
    @property
    def observed(self) -> NDArray[np.float64]:
        """The standard significance of each pair that was compared."""
    @property
    def of_pattern(self) -> NDArray[np.uint32]:
        """(k, 2): pairs that would be accepted, but match at exactly zero shift, as frames that share a pattern do."""
    @property
    def mirrored(self) -> NDArray[np.uint32]:
        """(k, 2): pairs that match only mirrored, the best first."""
    @property
    def pairs(self) -> NDArray[np.uint32]:
        """(n, 2): the two micrographs, the earlier first."""
    @property
    def z(self) -> NDArray[np.float64]: ...
    @property
    def q(self) -> NDArray[np.float64]:
        """The false-discovery rate of all pairs that are not less likely."""
    @property
    def accepted(self) -> NDArray[np.bool_]: ...
    @property
    def shot_agreement(self) -> list[str]:
        """``"3 of 4"`` shots of the two holes agree; ``"contradicted"``; ``"3 in a row"`` where names do not give holes; or empty."""
    @property
    def shift_reduced_px(self) -> NDArray[np.float64]:
        """(n, 2): the shift (x, y), in reduced pixels, that superimposes the second on the first in the middle of their overlap."""
    @property
    def ncc(self) -> NDArray[np.float64]: ...
    @property
    def ccc(self) -> NDArray[np.float64]: ...
    @property
    def overlap(self) -> NDArray[np.float64]: ...
    @property
    def rotation_deg(self) -> NDArray[np.float64]: ...
    @property
    def scale(self) -> NDArray[np.float64]: ...

@final
class Collection:
    """Micrographs of one size during data collection, in the order in which they came."""

    def __new__(
        cls, records: Sequence[Record], state: bytes | None, *, band: _Band, max_shift_reduced_px: float | None, threads: int
    ) -> Self:
        """Takes up the micrographs of an earlier collection, and its ``state``; ``max_shift_reduced_px``: along an axis, reduced pixels."""
    def __len__(self) -> int: ...
    @property
    def covered(self) -> int:
        """Number of micrographs that were compared with all earlier ones."""
    @property
    def state(self) -> bytes:
        """What was gathered of them."""
    def add(self, record: Record, *, threads: int) -> int:
        """Compares a new micrograph with all earlier ones; returns from which one on pairs may have become duplicates."""
    def conclude(self, *, asked: _Criteria, threads: int) -> Decisions | None:
        """Decides which pairs are duplicates; None while too few pairs were compared."""

@final
class Search:
    """A session whose pairs are compared, in any number of processes, and decided on together.

    Limits: ``max_shift_reduced_px`` along an axis, None: up to where a tenth of the frame overlaps; rotations at which pairs are refined
    (``turns_deg``) and screened (``screened_turns_deg``).
    """

    @staticmethod
    def plan(
        session: Session,
        *,
        sensitivity: str,
        max_shift_reduced_px: float | None,
        turns_deg: Sequence[float],
        screened_turns_deg: Sequence[float],
        threads: int,
        progress: _Progress = None,
    ) -> Search:
        """Plans a search among all pairs; ``sensitivity``: ``auto``, ``fast`` or ``full``."""
    @staticmethod
    def extent(n: int, sensitivity: str) -> tuple[bool, bool, int, int]:
        """Tells of a search among ``n``: whether pairs are screened, maybe at twice the resolution; how many are refined, and mirrored."""
    @staticmethod
    def window_pairs(ordinals: Sequence[int], distances: Sequence[int]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Lists the pairs (n, 2) of micrographs so many exposures apart, and some of them (m, 2) to be also compared mirrored.

        ``ordinals``: ascending, the number of each micrograph in the order of exposure, where those that are missing count, too.
        """
    @staticmethod
    def window(
        session: Session,
        pairs: NDArray[np.uint32],
        decoys: NDArray[np.uint32],
        *,
        max_shift_reduced_px: float | None,
        turns_deg: Sequence[float],
    ) -> Search:
        """Plans a search among some pairs (n, 2); ``decoys``: those that are also compared with one micrograph mirrored."""
    @staticmethod
    def open(
        session: Session,
        directory: _Path,
        *,
        max_shift_reduced_px: float | None,
        turns_deg: Sequence[float],
        screened_turns_deg: Sequence[float],
        compares: bool,
    ) -> Search:
        """Opens a search that was planned and saved; ``compares``: whether pairs are still to be compared."""
    def save(self, directory: _Path) -> None: ...
    @property
    def session(self) -> Session: ...
    @property
    def screening(self) -> Screening | None:
        """The screening plan; None in a window."""
    def tested(self, block: Block) -> tuple[int, int]:
        """Counts the pairs, and those with a mirrored micrograph; ``block``: all that were compared."""
    def compare(self, *, shard: tuple[int, int], threads: int, progress: _Stages | None = None) -> Block:
        """Compares the pairs of a shard: its number, from 0, and how many there are."""
    def orientations(self, block: Block, *, orientations: int, threads: int, progress: _Stages | None = None) -> list[tuple[int, int]]:
        """Compares pairs in other orientations; returns numbers of the micrographs stored otherwise than those they match, and how."""
    def conclude(self, block: Block, *, asked: _Criteria, threads: int, progress: _Stages | None = None) -> Decisions:
        """Decides which pairs are duplicates; ``block``: all that were compared."""

@final
class Matches:
    """The best shifts of n pairs."""

    @property
    def z(self) -> NDArray[np.float32]:
        """(n,): significance at the best shift, as :attr:`Correlation.z` has it, of whitened views."""

    @property
    def shift_reduced_px(self) -> NDArray[np.float32]:
        """(n, 2): the shift (x, y), in reduced pixels, that superimposes the second on the first."""

    @property
    def z_at_zero(self) -> NDArray[np.float32]:
        """(n,): significance at zero shift, which is not searched otherwise."""

    @property
    def z_next(self) -> NDArray[np.float32]:
        """(n,): significance at the next best place."""

@final
class Confirmed:
    """Measures of n pairs at the full reduced resolution, band-passed."""

    @property
    def shift_reduced_px(self) -> NDArray[np.float64]:
        """(n, 2): the shift (x, y), in reduced pixels, that superimposes the second on the first in the middle of what they share."""

    @property
    def ncc(self) -> NDArray[np.float64]:
        """(n,): normalised cross-correlation over the overlap."""

    @property
    def ccc(self) -> NDArray[np.float64]:
        """(n,): Pearson's coefficient over the whole frame, what is not covered filled with the mean."""

    @property
    def overlap(self) -> NDArray[np.float64]:
        """(n,): share of the frame that both show."""

    @property
    def rotation_deg(self) -> NDArray[np.float64]:
        """(n,): turn of the first against the second, from x to y."""

    @property
    def scale(self) -> NDArray[np.float64]:
        """(n,): magnification of the first against the second."""

@final
class Session:
    """Micrographs of one size, prepared for comparison."""

    @staticmethod
    def load(
        records: Sequence[Record],
        *,
        band: _Band,
        maps: Sequence[tuple[tuple[float, float], tuple[float, float]]] = ...,
        directory: _Path | None = None,
        threads: int,
        progress: _Progress = None,
    ) -> Session:
        """Subtracts the fixed pattern from prepared micrographs, and makes whitened views of them in a band.

        ``band``: highpass, lowpass and falloff, cycles a reduced pixel;
        ``maps``: of each, if any, the matrix from a place in the image that is compared to that in the micrograph;
        ``directory``: where the views are written, and read from, if memory is not to hold them.
        """

    @staticmethod
    def open(directory: _Path, base: _Path) -> Session:
        """Opens a session that was saved; its views stay in the directory."""

    def save(self, directory: _Path, base: _Path) -> None:
        """Adds the rest to the directory into which the session was loaded.

        Prepared micrographs in ``base`` are found again if it is moved with all that is in it.
        """

    @property
    def records(self) -> list[Record]:
        """Its prepared micrographs."""

    @staticmethod
    def of_views(views: NDArray[np.int8], width: int, signal: float) -> Session:
        """Makes a session of existing views, (n, pixels), for benchmarks."""

    def __len__(self) -> int: ...
    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the reduced micrographs."""

    @property
    def signal(self) -> NDArray[np.float32]:
        """Share of power that is not shot noise, (n, rings)."""

    def find(
        self,
        pairs: NDArray[np.uint32],
        max_shift_reduced_px: float | None,
        *,
        mirrored: bool,
        threads: int,
    ) -> Matches:
        """Finds the best shift of each pair (n, 2), the first mirrored or not."""

    def peak_maps(self, found: Decisions, rows: Sequence[int], *, reach: int, threads: int) -> list[NDArray[np.float64]]:
        """Correlates each pair at up to ``reach`` view pixels from its shift, (2 reach + 1, same); NaN: no overlap."""

    def thumbnails(self, numbers: Sequence[int], *, max_side_px: int, threads: int) -> list[NDArray[np.uint8]]:
        """Makes pictures of views, as :func:`thumbnails`."""

    def show_one_area(self) -> bool:
        """Whether all micrographs, or all of many that follow each other, seem to show one place."""

    def confirm(self, alignments: _Alignments, *, band: _Band, threads: int, progress: _Progress = None) -> Confirmed:
        """Measures pairs at the full reduced resolution, near given shifts."""

@final
class Table:
    """One block of a STAR file."""

    def __new__(
        cls, block: str, start: int, pairs: list[tuple[str, bytes]], labels: list[str], rows: Rows, columns: dict[str, Any]
    ) -> Self: ...
    def __getnewargs__(self) -> tuple[str, int, list[tuple[str, bytes]], list[str], Rows, dict[str, Any]]: ...
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
    points: _Points,
    min_separation: float,
    *,
    half_vectors: NDArray[np.float64] | None = None,
    remove_entirely: bool = False,
    threads: int,
    progress: _Progress = None,
) -> Duplicates:
    """Keeps the best of particles within ``min_separation`` (0: of equal coordinates); with ``remove_entirely`` none of them.

    With ``half_vectors`` (n, 2) particles are filaments: points are their middles, and both ends have to be within it, in either order.
    """

def cell_spans(line: bytes) -> list[tuple[int, int]]:
    """Finds the first byte, and the byte after the last, of each cell of a line of a STAR file, quotes included."""

def reduce_frame(frame: Frame, *, bin: int) -> NDArray[np.float32]:
    """Averages bins of a frame; shape about (ny / bin, nx / bin)."""

def nearest(points: _Points, reach: float, *, threads: int) -> NDArray[np.float32]:
    """Measures the distance to the nearest other particle of the group, (n,); infinite beyond the reach."""

def half_pairs(
    points: _Points,
    halves: NDArray[np.uint8],
    separation: float,
    *,
    threads: int,
) -> HalfPairs:
    """Counts pairs within the separation; ``halves``: 1, 2, or 0 for neither."""

def components(
    points: _Points,
    separation: float,
    *,
    threads: int,
) -> NDArray[np.uint32]:
    """Finds the best of the particles that each is connected with by steps within the separation, (n,)."""

def kept_at(
    points: _Points,
    separations: Sequence[float],
    *,
    threads: int,
) -> list[int]:
    """Counts the particles kept at each separation."""

def overlaps(
    points: _Points,
    sources: NDArray[np.uint32],
    n_sources: int,
    separation: float,
    *,
    threads: int,
) -> NDArray[np.uint64]:
    """Counts the particles of the first source that have one of the second within the separation, (n_sources, n_sources)."""

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
    rows: Rows,
    fields: Sequence[tuple[int, str]],
    *,
    threads: int,
    progress: _Progress = None,
) -> list[Any]:
    """Reads fields (offset, type) of records: float64 for numbers, uint64 for ``uid``, names for ``S<length>``."""

def prepare_image(image: NDArray[np.float32], *, bin: int, band: _Band) -> NDArray[np.float32]:
    """Reduces, flattens, fades and filters an image."""

@final
class Correlation:
    """Measures of two images at their best shift."""

    @property
    def shift_px(self) -> tuple[float, float]:
        """The shift (x, y), in pixels of the images, that superimposes the second on the first; sub-pixel."""

    @property
    def ncc(self) -> float:
        """Normalised cross-correlation over the overlap, -1 to 1; 0 if one of the images is flat there."""

    @property
    def ccc(self) -> float:
        """Pearson's coefficient over the whole frame, what the moved second image does not cover filled with its mean.

        This is what microduplicate_screener thresholds.
        """

    @property
    def overlap(self) -> float:
        """Share of the frame that both show, 0 to 1."""

    @property
    def z(self) -> float:
        """Significance: atanh(r)·√n.

        r is the correlation over the overlap without its best block of 6 x 6 (one bright thing in each image is no match), n the number of
        independent values in the overlap, from the images' power spectra.
        """

    def __eq__(self, value: object, /) -> bool: ...

def correlate(first: NDArray[np.float32], second: NDArray[np.float32], *, max_shift_px: float | None = None) -> Correlation:
    """Correlates two images of one shape at every shift."""

def picture(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Smooths an image a little, and sets its contrast from percentiles; shape (ny, nx), as the image."""

def read_pixels(record: Record, *, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
    """Reads some rows of a prepared micrograph, shape (rows, width), in standard deviations; the bottom of the image first."""

def thumbnails(records: Sequence[Record], *, max_side_px: int, threads: int) -> list[NDArray[np.uint8]]:
    """Makes pictures of prepared micrographs, shape (ny, nx), rows from the top down, the longer side of at most so many pixels."""

def available_processors() -> int:
    """Returns the number of processors that affinity and control groups leave to this process."""

def set_processors(processors: int) -> None:
    """Sets how many threads ``threads=0`` stands for, in calls from now on."""

def load_numpy() -> None:
    """Finds NumPy's own functions, which the first array does otherwise; a signal's exception in the midst of that would be a panic."""

def line_number(path: _Path, offset: int) -> int:
    """Returns the number, from 1, of the line that holds the offset."""

def split(parts: Sequence[Part], kept: _Path, rejected: _Path, *, progress: _Progress = None) -> None:
    """Writes the parts one after the other to both files."""

def read_cells(path: _Path, rows: Rows, chosen: Sequence[int] | None = None) -> list[list[bytes]]:
    """Reads the cells, without quotes, of a small table, or of some rows of a large one."""

def scan_star(
    paths: Sequence[_Path],
    *,
    numbers: Sequence[str],
    names: Sequence[str],
    varying: Sequence[str],
    threads: int,
    progress: _Progress = None,
) -> list[list[Table]]:
    """Finds the tables of each file, with those of the wanted columns that they have."""

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
    """Scans files of rows without a STAR head, each with its own labels; otherwise as :func:`scan_star`."""
