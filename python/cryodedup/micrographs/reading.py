"""Reads and reduces micrographs, and stores them in the cache of a session."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryodedup import _core
from cryodedup.errors import InputError, reason_of
from cryodedup.formats.images import Image
from cryodedup.formats.tiff import TiffImage
from cryodedup.params import MicrographParams
from cryodedup.progress import SILENT, Progress
from cryodedup.system.resources import processors

_TIFF_READERS = 8
"""Largest number of TIFF files in memory at once, each as float32."""


class Reading:
    """Micrographs that are being read into the cache of a session.

    Attributes
    ----------
    waiting
        Indices of the micrographs that are still to be read, because the cache does not hold them yet.
    records
        The record in the cache of each micrograph that can be used, by index.
    unreadable
        Why a micrograph that was read cannot be used, by index.
    damaged
        Whether the cache was damaged; the lost micrographs are read again.
    """

    def __init__(
        self,
        readable: Sequence[int],
        images: Mapping[int, Image],
        params: MicrographParams,
        cache: Path,
        resume: bool,
        progress: Progress = SILENT,
    ) -> None:
        self._images, self._params, self._progress = images, params, progress
        self._preparation = _core.Preparation.open(cache, resume=resume)
        self._keys = {i: key_of(images[i], params.bin) for i in readable}
        keys = list(self._keys.values())
        self.damaged = self._preparation.damaged(keys)
        self.records: dict[int, _core.Record] = {}
        self.unreadable: dict[int, str] = {}
        self.waiting: list[int] = []
        self._done = 0
        for i, record in zip(readable, self._preparation.known(keys), strict=True):
            if record is None:
                self.waiting.append(i)
            else:
                self._settle(i, record)

    def spread(self, count: int) -> list[int]:
        """At most ``count`` of the waiting micrographs, spread over the session."""
        return self.waiting[:: max(1, len(self.waiting) // count)][:count]

    def bytes_of(self, some: Sequence[int]) -> int:
        """Number of bytes of the pixels of some micrographs."""
        return sum(self._images[i].bytes for i in some)

    @property
    def masked(self) -> dict[int, int]:
        """Number of NaN or infinite pixels of each micrograph that has some and is used nevertheless, by index."""
        return masked_px(self.records)

    def read(self, some: Sequence[int]) -> None:
        """Reads some of the waiting micrographs."""
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
        for i, outcome in zip(now, outcomes, strict=True):
            self._settle(i, outcome)

    def _read_tiff(self, now: Sequence[int]) -> None:
        """Reads in Python threads, each with one image in memory: decoding and reducing release the GIL."""
        if not now:
            return
        executor = ThreadPoolExecutor(min(self._params.threads or processors(), _TIFF_READERS))
        try:
            for i, outcome in zip(now, executor.map(self._prepared_tiff, now), strict=True):
                self._settle(i, outcome)
                self._advance(0)
        finally:
            # After Ctrl-C, or when the disk is full, no further image is started.
            executor.shutdown(cancel_futures=True)

    def _prepared_tiff(self, i: int) -> _core.Record | str:
        image = self._images[i]
        assert isinstance(image, TiffImage)
        return _prepare_tiff(self._preparation, image, self._keys[i], self._params)

    def _settle(self, i: int, outcome: _core.Record | str) -> None:
        self._done += self._images[i].bytes
        refused = outcome if isinstance(outcome, str) else refusal(outcome, self._images[i])
        if refused is not None:
            self.unreadable[i] = refused
        elif not isinstance(outcome, str):
            self.records[i] = outcome

    def _advance(self, done: int) -> None:
        """Reports progress: ``done`` bytes of this call, in addition to those settled before it."""
        self._progress.advance_to(self._done + done)


def prepare_one(preparation: _core.Preparation, image: Image, params: MicrographParams) -> _core.Record | str:
    """Reads one micrograph into a cache; the reason if it cannot be read."""
    key = key_of(image, params.bin)
    if isinstance(image, TiffImage):
        return _prepare_tiff(preparation, image, key, params)
    return preparation.read([image.frame], [key], bin=params.bin, threads=params.threads)[0]


def _prepare_tiff(preparation: _core.Preparation, image: TiffImage, key: bytes, params: MicrographParams) -> _core.Record | str:
    try:
        pixels = image.read()
    except (InputError, OSError) as error:
        return reason_of(error)
    return preparation.add(pixels, key, bin=params.bin)


def masked_px(records: Mapping[int, _core.Record]) -> dict[int, int]:
    """Counts the NaN and infinite pixels of the micrographs that have some."""
    return {i: record.masked_px for i, record in sorted(records.items()) if record.masked_px}


def refusal(record: _core.Record, image: Image) -> str | None:
    """Why a micrograph that was read cannot be used; None: it can."""
    if record.kind == "blank":
        return "blank: all pixels have the same value"
    return _too_many_masked(record.masked_px, image) if record.kind == "not finite" else None


def _too_many_masked(masked: int, image: Image) -> str:
    if not masked:
        return "found pixel values too large to be averaged"
    limit = int(_core.MAX_MASKED * image.nx * image.ny)
    return f"found {masked:,} NaN or infinite pixels, expected at most {limit:,} ({100 * _core.MAX_MASKED:g} % of all)"


def masked_warning(names: Sequence[str], masked: Mapping[int, int], images: Mapping[int, Image]) -> list[str]:
    """A warning that some micrographs are used although they have NaN or infinite pixels."""
    if not masked:
        return []
    worst = max(masked, key=lambda i: masked[i] / (images[i].nx * images[i].ny))
    share = 100 * masked[worst] / (images[worst].nx * images[worst].ny)
    have, of = ("micrograph has", "") if len(masked) == 1 else ("micrographs have", "up to ")
    return [
        f"{len(masked):,} {have} NaN or infinite pixels: {of}{masked[worst]:,} ({share:.2g} %) in {names[worst]}; these pixels were"
        " replaced by the mean of the pixels around them"
    ]


def key_of(image: Image, bin: int) -> bytes:
    """Key of a prepared micrograph: path, size and modification time of its file, and how it is binned."""
    text = f"2|{os.path.realpath(image.path)}|{image.size}|{image.mtime_ns}|{bin}"
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()
