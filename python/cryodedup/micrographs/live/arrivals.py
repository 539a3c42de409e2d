"""Files that are being written: each is handed on once it is whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryodedup.errors import InputError
from cryodedup.micrographs.exposures import listed


@dataclass
class _Waiting:
    """A file that is not known to be whole: its size and time when it was last seen to change, and when that was."""

    stat: tuple[int, int]
    since_s: float


class Arrivals:
    """The new files of an input, each handed on once, when it has not changed for a while.

    Parameters
    ----------
    inputs
        Folders, patterns or files, or a STAR file or dataset that grows.
    settle_s
        How long a file must not change. The clock is this machine's own: times of files are only compared with each other.
    known
        Files that are not handed on.
    """

    def __init__(
        self, inputs: Sequence[Path], settle_s: float, known: Iterable[Path] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._inputs, self._settle_s, self._clock = inputs, settle_s, clock
        self._taken = set(known)
        self._waiting: dict[Path, _Waiting] = {}
        self._refused: dict[Path, _Waiting] = {}
        self.listed: list[Path] = []
        self.trouble: str | None = None

    def poll(self) -> list[Path]:
        """The files that have become whole since the last call, in the order of the input.

        A list that cannot be read, since somebody is writing it, is read again the next time; ``trouble`` says why it could not.
        """
        try:
            self.listed = listed(self._inputs)
            self.trouble = None
        except (InputError, OSError) as error:
            self.trouble = error.text if isinstance(error, InputError) else str(error)
        now, ready = self._clock(), []
        for path in self.listed:
            if path not in self._taken and self._is_settled(path, now):
                self._taken.add(path)
                self._waiting.pop(path, None)
                ready.append(path)
        return ready

    def put_back(self, path: Path) -> float:
        """Waits for a file that was handed on but is not whole; returns for how many seconds it has been refused without any change."""
        self._taken.discard(path)
        now = self._clock()
        try:
            found = path.stat()
        except OSError:
            return 0.0
        stat = (found.st_size, found.st_mtime_ns)
        self._waiting[path] = _Waiting(stat, now)
        before = self._refused.get(path)
        if before is None or before.stat != stat:
            before = self._refused[path] = _Waiting(stat, now)
        return now - before.since_s

    @property
    def waiting(self) -> list[Path]:
        """The files that are there, but were not handed on, or were put back."""
        return list(self._waiting)

    def drop(self, path: Path) -> None:
        """Waits no longer for a file."""
        self._taken.add(path)
        self._waiting.pop(path, None)
        self._refused.pop(path, None)

    def _is_settled(self, path: Path, now: float) -> bool:
        try:
            found = path.stat()
        except OSError:  # it has just gone, or is not there yet
            return False
        stat, before = (found.st_size, found.st_mtime_ns), self._waiting.get(path)
        if before is None or before.stat != stat:
            self._waiting[path] = _Waiting(stat, now)
            return self._settle_s <= 0
        return now - before.since_s >= self._settle_s
