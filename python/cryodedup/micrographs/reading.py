"""Reading micrographs, reduced, into the file of a prepared session."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from cryodedup import _core
from cryodedup.errors import InputError, MissingPackageError
from cryodedup.formats.images import Image, open_image
from cryodedup.formats.tiff import TiffImage
from cryodedup.micrographs.exposures import Exposures
from cryodedup.params import MicrographParams

Progress = Callable[[int], object] | None
Record = tuple[int, int, int, float, float, int, int]
CACHE = "prepared.cache"
_MAGIC = b"CRYODUP1"
_BLANK, _NOT_FINITE = 1, 2
_TIFF_READERS = 8
"""At most so many TIFF files are in memory at once, each as float32."""


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


def open_headers(exposures: Exposures, width: int) -> tuple[dict[int, Image], dict[int, str]]:
    """Headers of the readable images, and what is wrong with the others."""
    images: dict[int, Image] = {}
    unreadable: dict[int, str] = {}
    for i, path in enumerate(exposures.paths):
        try:
            image = open_image(path)
            if min(image.nx, image.ny) < 16 * width:
                raise InputError(
                    f"{path}: found {image.nx} x {image.ny} pixels, expected at least 16 bins of {width} along each side (--bin)"
                )
            images[i] = image
        except MissingPackageError:
            raise
        except InputError as error:
            unreadable[i] = str(error).removeprefix(f"{path}: ")
        except OSError as error:
            unreadable[i] = _reason(error)
    if not images:
        first = next(iter(unreadable))
        none = f"; none of {len(exposures):,} micrographs can be used" if len(exposures) > 1 else ""
        raise InputError(f"{exposures.paths[first]}: {unreadable[first]}{none}")
    return images, unreadable


class Reading:
    """Micrographs on their way into the cache of a session.

    Attributes
    ----------
    waiting
        Indices of those that are still to be read: what the cache does not hold already.
    records
        Of each micrograph that can be used its record in the cache.
    unreadable
        Of each other one that was read the reason.
    damaged
        Whether the cache was damaged; what was lost is read again.
    """

    def __init__(
        self, readable: Sequence[int], images: Mapping[int, Image], params: MicrographParams, cache: Path, resume: bool, progress: Progress
    ) -> None:
        self._images, self._params, self._progress = images, params, progress
        self._preparation = _core.Preparation.open(cache, resume=resume)
        self._keys = {i: _key(images[i], params.bin) for i in readable}
        keys = list(self._keys.values())
        self.damaged = self._preparation.damaged(keys)
        self.records: dict[int, Record] = {}
        self.unreadable: dict[int, str] = {}
        self.waiting: list[int] = []
        self._done = 0
        for i, record in zip(readable, self._preparation.known(keys), strict=True):
            if record is None:
                self.waiting.append(i)
            else:
                self._settle(i, record)

    def spread(self, count: int) -> list[int]:
        """So many of those that wait, spread over the session."""
        return self.waiting[:: max(1, len(self.waiting) // count)][:count]

    def bytes_of(self, some: Sequence[int]) -> int:
        """Of the pixels of some micrographs."""
        return sum(self._images[i].bytes for i in some)

    @property
    def masked(self) -> dict[int, int]:
        """How many pixels are NaN or infinite, of each micrograph that is used although some are."""
        return {i: record[6] for i, record in self.records.items() if record[6]}

    def read(self, some: Sequence[int]) -> None:
        """Reads some of those that wait."""
        now = set(some)
        self.waiting = [i for i in self.waiting if i not in now]
        tiff = {i for i in some if isinstance(self._images[i], TiffImage)}
        self._read_mrc([i for i in some if i not in tiff])
        self._read_tiff([i for i in some if i in tiff])

    def _read_mrc(self, now: Sequence[int]) -> None:
        if not now:
            return
        frames = [image.frame for i in now if not isinstance(image := self._images[i], TiffImage)]
        outcomes = self._preparation.read(
            frames, [self._keys[i] for i in now], bin=self._params.bin, threads=self._params.threads, progress=self._advance
        )
        for i, (text, record) in zip(now, outcomes, strict=True):
            self._settle(i, record if record is not None else text)

    def _read_tiff(self, now: Sequence[int]) -> None:
        """By threads of Python, each with one image in memory: decoding and reducing release the interpreter."""
        if not now:
            return
        executor = ThreadPoolExecutor(min(self._params.threads or os.cpu_count() or 1, _TIFF_READERS))
        try:
            for i, outcome in zip(now, executor.map(self._prepare_tiff, now), strict=True):
                self._settle(i, outcome)
                self._advance(0)
        finally:
            # After Ctrl-C, or when the disk is full, what was not begun is not begun any more.
            executor.shutdown(cancel_futures=True)

    def _prepare_tiff(self, i: int) -> Record | str:
        image = self._images[i]
        assert isinstance(image, TiffImage)
        try:
            pixels = image.read()
        except InputError as error:
            return str(error).removeprefix(f"{image.path}: ")
        except OSError as error:
            return _reason(error)
        return self._preparation.add(pixels, self._keys[i], bin=self._params.bin)

    def _settle(self, i: int, outcome: Record | str) -> None:
        self._done += self._images[i].bytes
        if isinstance(outcome, str):
            self.unreadable[i] = outcome
        elif outcome[5] == _BLANK:
            self.unreadable[i] = "blank: every pixel has one value"
        elif outcome[5] == _NOT_FINITE:
            self.unreadable[i] = _too_many_masked(outcome[6], self._images[i])
        else:
            self.records[i] = outcome

    def _advance(self, done: int) -> None:
        """Of the present call so many bytes are done, besides what was settled before it."""
        if self._progress is not None:
            self._progress(self._done + done)


def _too_many_masked(masked: int, image: Image) -> str:
    if not masked:
        return "found pixels too large to be averaged"
    limit = int(_core.MAX_MASKED * image.nx * image.ny)
    return f"found {masked:,} NaN or infinite pixels, expected at most {limit:,} ({100 * _core.MAX_MASKED:g} % of all)"


def masked_warning(names: Sequence[str], masked: Mapping[int, int], images: Mapping[int, Image]) -> list[str]:
    """That some micrographs are used although pixels are missing."""
    if not masked:
        return []
    worst = max(masked, key=lambda i: masked[i] / (images[i].nx * images[i].ny))
    share = 100 * masked[worst] / (images[worst].nx * images[worst].ny)
    have, of = ("micrograph has", "") if len(masked) == 1 else ("micrographs have", "at most ")
    return [
        f"{len(masked):,} {have} NaN or infinite pixels: {of}{masked[worst]:,} ({share:.2g} %) in {names[worst]}; they were replaced by the"
        " mean of the pixels around them"
    ]


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _key(image: Image, width: int) -> bytes:
    """What a prepared micrograph is known by: its file, as it is now, and how it was reduced."""
    text = f"2|{os.path.realpath(image.path)}|{image.size}|{image.mtime_ns}|{width}"
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()
