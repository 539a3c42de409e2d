"""The whole job: read, compare, decide."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.mrc import MrcImage, open_mrc
from cryodedup.micrographs import acquisition
from cryodedup.micrographs.comparing import Compared, Record, compare
from cryodedup.micrographs.exposures import Exposures, open_exposures
from cryodedup.micrographs.result import MicrographResult
from cryodedup.micrographs.sets import best, connected
from cryodedup.params import MicrographParams

Say = Callable[[str], object]
Progress = Callable[[int], object] | None
CACHE = "prepared.cache"
_KINDS = {1: "blank: every pixel has one value", 2: "found NaN or infinite pixels"}
_FLAT = 0.25
"""A frame of less than this share of the session's usual signal is called flat."""


def find_duplicate_micrographs(
    micrographs: str | PathLike[str] | Sequence[str | PathLike[str]],
    params: MicrographParams | None = None,
    *,
    cache: str | PathLike[str] | None = None,
    resume: bool = False,
    say: Say = lambda stage: None,
    progress: Progress = None,
) -> MicrographResult:
    """Finds micrographs that show the same hole.

    Parameters
    ----------
    micrographs
        A STAR file or CryoSPARC dataset of micrographs, a folder, or any number of ``.mrc`` files (``.gz``, ``.bz2``) or patterns.
    params
        See :class:`MicrographParams`.
    cache
        A file for the prepared micrographs; None: a temporary one.
    resume
        Use what ``cache`` holds already, and read only other micrographs.
    say
        Called with the name of each stage as it begins.
    progress
        Called about ten times a second with the bytes, micrographs or pairs done in the present stage.

    Returns
    -------
    :class:`MicrographResult`: pairs, sets, which stay; ``write(directory)`` writes what the command line writes.

    Raises
    ------
    InputError
        One line: which file or parameter, what was found, what was expected. A single unreadable image is no error: the result names it.
    """
    params = params or MicrographParams()
    several = [micrographs] if isinstance(micrographs, str | PathLike) else list(micrographs)
    started = time.perf_counter()
    say("opening")
    exposures = open_exposures([Path(item) for item in several], params.threads)
    if params.keep == "best-ctf" and exposures.ctf_a is None:
        raise InputError(f"{exposures.label}: found no rlnCtfMaxResolution or ctf_stats/ctf_fit_to_A, expected it for --keep best-ctf")
    order, rule = acquisition.sort(exposures.names, exposures.acquisitions, params.order)
    images, unreadable = _headers(exposures, params.bin)
    with ExitStack() as stack:
        place = Path(cache) if cache is not None else Path(stack.enter_context(TemporaryDirectory(prefix="cryodedup-"))) / CACHE
        _refuse_other_file(place)
        stack.enter_context(_locked(place))
        say("reading")
        # Read, and compared, in the order of exposure: the result does not depend on that of the input.
        readable = [i for i in order if i in images]
        records, damaged = _prepare(readable, images, params, place, resume, unreadable, progress)
        read = time.perf_counter()
        classes = _size_classes(readable, images, records)
        say("comparing")
        rank = {i: k for k, i in enumerate(order)}
        compared = [
            compare(
                place, members, [records[i] for i in members], [rank[i] for i in members], exposures.acquisitions, params, say, progress
            )
            for members in classes
            if len(members) > 1
        ]
    result = _decide(exposures, order, params, compared)
    result.order_rule = rule
    result.unreadable = dict(sorted(unreadable.items()))
    result.flat = _flat(compared)
    result.pixel_sizes_a = [images[i].pixel_size_a if i in images else None for i in range(len(exposures))]
    if damaged:
        result.warnings.append(f"{place}: was damaged; what was lost was read again")
    result.warnings += _warnings(exposures, classes, images, result)
    result.times_s = {"reading": read - started, "comparing": time.perf_counter() - read}
    return result


def _refuse_other_file(cache: Path) -> None:
    """A cache may be damaged, but a file of another name that is none is somebody's."""
    if os.path.lexists(cache) and (cache.is_symlink() or not cache.is_file()):
        raise InputError(f"{cache}: found no ordinary file where the prepared micrographs are to be kept")
    if cache.name != CACHE and cache.exists() and cache.stat().st_size:
        with cache.open("rb") as file:
            if file.read(8) != b"CRYODUP1":
                raise InputError(f"{cache}: found another file, expected one of prepared micrographs, or none")


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Keeps other runs off the cache, where the file system knows locks; by a file of its own, as on some a locked file can not be read."""
    path = cache.with_name(cache.name + ".lock")
    try:
        file = path.open("ab")
    except OSError as error:
        raise InputError(f"{cache}: {(error.strerror or str(error)).lower()}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{cache}: found another run that uses it; wait for it, or choose another place for this one") from None
        except OSError:
            pass
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _headers(exposures: Exposures, width: int) -> tuple[dict[int, MrcImage], dict[int, str]]:
    """Headers of the readable images, and what is wrong with the others."""
    images: dict[int, MrcImage] = {}
    unreadable: dict[int, str] = {}
    for i, path in enumerate(exposures.paths):
        try:
            image = open_mrc(path)
            if min(image.nx, image.ny) < 16 * width:
                raise InputError(
                    f"{path}: found {image.nx} x {image.ny} pixels, expected at least 16 bins of {width} along each side (--bin)"
                )
            images[i] = image
        except InputError as error:
            unreadable[i] = str(error).removeprefix(f"{path}: ")
        except OSError as error:
            unreadable[i] = (error.strerror or str(error)).lower()
    if not images:
        first = next(iter(unreadable))
        raise InputError(f"{exposures.paths[first]}: {unreadable[first]}; none of {len(exposures)} micrographs can be used")
    return images, unreadable


def _prepare(
    readable: Sequence[int],
    images: dict[int, MrcImage],
    params: MicrographParams,
    cache: Path,
    resume: bool,
    unreadable: dict[int, str],
    progress: Progress,
) -> tuple[dict[int, Record], bool]:
    keys = [_key(images[i], params.bin) for i in readable]
    frames = [images[i].frame for i in readable]
    outcomes, damaged = _core.prepare_micrographs(
        frames, keys, cache, bin=params.bin, resume=resume, threads=params.threads, progress=progress
    )
    records = {}
    for i, (text, record) in zip(readable, outcomes, strict=True):
        if record is None:
            unreadable[i] = text
        elif record[5]:
            unreadable[i] = _KINDS[record[5]]
        else:
            records[i] = record
    return records, damaged


def _key(image: MrcImage, width: int) -> bytes:
    """What a prepared micrograph is known by: its file, as it is now, and how it was reduced."""
    text = f"1|{os.path.realpath(image.path)}|{image.size}|{image.mtime_ns}|{width}"
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _size_classes(readable: Sequence[int], images: dict[int, MrcImage], records: Mapping[int, object]) -> list[list[int]]:
    """Micrographs of one size, the largest class first."""
    classes: dict[tuple[int, int], list[int]] = {}
    for i in readable:
        if i in records:
            classes.setdefault((images[i].nx, images[i].ny), []).append(i)
    return sorted(classes.values(), key=len, reverse=True)


def _decide(exposures: Exposures, order: Sequence[int], params: MicrographParams, compared: Sequence[Compared]) -> MicrographResult:
    rank = np.empty(len(exposures))
    rank[list(order)] = np.arange(len(exposures))
    if params.keep == "best-ctf":
        assert exposures.ctf_a is not None
        resolution = np.where(np.isfinite(exposures.ctf_a) & (exposures.ctf_a > 0), exposures.ctf_a, np.inf)
        rank = np.lexsort((rank, resolution)).argsort().astype(float)
    pairs = [pair for found in compared for pair in found.pairs]
    for pair in pairs:
        if rank[pair.first] > rank[pair.second]:
            pair.turn()
    groups = connected(len(exposures), ((pair.first, pair.second) for pair in pairs))
    groups.sort(key=lambda group: min(rank[i] for i in group))
    number = {i: k + 1 for k, group in enumerate(groups) for i in group}
    for pair in pairs:
        pair.set = number[pair.first]
    kept = np.ones(len(exposures), bool)
    for group in groups:
        stays = best(group, rank.tolist())
        kept[[i for i in group if i != stays]] = False
    pairs.sort(key=lambda pair: (rank[pair.first], rank[pair.second]))
    return MicrographResult(
        params=params,
        exposures=exposures,
        order=list(order),
        pairs=pairs,
        groups=groups,
        kept=kept,
        compared=list(compared),
        warnings=[],
    )


def _flat(compared: Iterable[Compared]) -> list[int]:
    """Micrographs of hardly any signal: no specimen, or no beam to speak of."""
    flat: list[int] = []
    for found in compared:
        usual = float(np.median(found.signal))
        flat += [found.members[i] for i in np.flatnonzero(found.signal < _FLAT * usual)]
    return sorted(flat)


def _warnings(exposures: Exposures, classes: Sequence[Sequence[int]], images: dict[int, MrcImage], result: MicrographResult) -> list[str]:
    warnings = []
    if len(classes) > 1:
        sizes = ", ".join(f"{len(members)} of {images[members[0]].nx} x {images[members[0]].ny}" for members in classes)
        warnings.append(f"micrographs of {len(classes)} sizes ({sizes}): only those of one size are compared")
    for found in result.compared:
        if (at_zero := found.screening.get("median_z_at_zero_shift", 0.0)) > 4:
            warnings.append(
                f"{len(found.members)} micrographs, too few to take the camera's fixed pattern out, correlate at zero shift (median z"
                f" {at_zero:.1f}): that is taken to be the pattern"
            )
        recalls = found.screening.get("predicted_recall_at_overlap_0.3", {})
        if recalls and recalls.get(str(found.screening["group_size"]), 1.0) < 0.99:
            warnings.append(
                f"dim micrographs: screening is predicted to find {100 * recalls[str(found.screening['group_size'])]:.0f} % of those that"
                " overlap by 0.3"
            )
    if result.compared and not any(found.tested for found in result.compared):
        warnings.append("the window holds no pair: --images-per-move is above --scan-range, or there are too few micrographs")
    if result.unreadable:
        first = next(iter(result.unreadable))
        warnings.append(
            f"{len(result.unreadable)} micrographs could not be used, and stay: {exposures.names[first]}: {result.unreadable[first]}"
            + (" (and others, see summary.json)" if len(result.unreadable) > 1 else "")
        )
    return warnings


def window_pairs(places: Sequence[int], params: MicrographParams) -> NDArray[np.uint32]:
    """The pairs of a window search, shape (pairs, 2).

    ``places``: of the micrographs that can be compared, ascending, among all: one that is missing does not shift the others. Distances
    d from ``images_per_move`` to ``scan_range``: those the screener takes, ``images_per_move`` and on in steps of ``images_per_hole``,
    and the multiples of ``images_per_hole``, which are those of equal shots.
    """
    at = np.asarray(places, np.int64)
    found = [np.zeros((0, 2), np.uint32)]
    for distance in window_distances(params, int(at[-1]) + 1 if len(at) else 0):
        second = np.searchsorted(at, at + distance)
        first = np.flatnonzero((second < len(at)) & (at[np.minimum(second, len(at) - 1)] == at + distance))
        found.append(np.stack([first, second[first]], axis=1).astype(np.uint32))
    return np.concatenate(found)


def window_distances(params: MicrographParams, n: int) -> list[int]:
    """Distances, in images, of a window search among ``n``."""
    most = n - 1
    move, hole = params.images_per_move, params.images_per_hole
    return [d for d in range(move, min(params.scan_range, most) + 1) if (d - move) % hole == 0 or d % hole == 0]
