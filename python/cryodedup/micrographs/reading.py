"""Reading micrographs, reduced, into the file of a prepared session."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.formats.mrc import MrcImage, open_mrc
from cryodedup.micrographs.exposures import Exposures
from cryodedup.params import MicrographParams

Progress = Callable[[int], object] | None
Record = tuple[int, int, int, float, float, int]
CACHE = "prepared.cache"
_MAGIC = b"CRYODUP1"
_KINDS = {1: "blank: every pixel has one value", 2: "found NaN or infinite pixels"}


def move_other_file(cache: Path) -> Path | None:
    """Where a file was moved to that is no cache of ours: it may be somebody's."""
    if not cache.exists() or not cache.stat().st_size:
        return None
    with cache.open("rb") as file:
        if file.read(len(_MAGIC)) == _MAGIC:
            return None
    if cache.name != CACHE:
        raise InputError(f"{cache}: found another file, expected one of prepared micrographs, or none")
    moved = cache.with_name(f"{cache.name}.found-{time.time_ns():x}")
    return cache.rename(moved)


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Keeps other runs off the cache, where the file system knows locks; by a file of its own, as on some a locked file can not be read."""
    if os.path.lexists(cache) and (cache.is_symlink() or not cache.is_file()):
        raise InputError(f"{cache}: found no ordinary file where the prepared micrographs are to be kept")
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


def open_headers(exposures: Exposures, width: int) -> tuple[dict[int, MrcImage], dict[int, str]]:
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
        none = f"; none of {len(exposures):,} micrographs can be used" if len(exposures) > 1 else ""
        raise InputError(f"{exposures.paths[first]}: {unreadable[first]}{none}")
    return images, unreadable


def read_into(
    readable: Sequence[int],
    images: dict[int, MrcImage],
    params: MicrographParams,
    cache: Path,
    resume: bool,
    unreadable: dict[int, str],
    progress: Progress,
) -> tuple[dict[int, Record], bool]:
    """Reads what the cache does not hold already; of each image that can be used its record there, and whether the cache was damaged."""
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
