"""Waiting until files are on the disk: until then a failure of the power loses them, and a file server may still refuse them."""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

_CANNOT = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EROFS}
"""Some file systems cannot be asked."""
_ASKED_S = 0.1
_THREADS = 8
"""A disk that is asked for several files at once writes them together: 2,000 small ones took 0.2 s less."""


def make_lasting(paths: Sequence[Path]) -> None:
    """Waits until some files or directories are on the disk; signals act meanwhile.

    Raises
    ------
    OSError
        The system could not write one of them, as a full disk or a file server that is full; it is named.
    """
    waiting, failed = deque(paths), list[OSError]()
    threads = [threading.Thread(target=_sync, args=(waiting, failed), daemon=True) for _ in range(min(_THREADS, len(paths)))]
    started = list(takewhile(_starts, threads))
    if not started:
        _sync(waiting, failed)
    for thread in started:
        while thread.is_alive():  # it cannot be interrupted, but this can
            thread.join(_ASKED_S)
    if failed:
        raise failed[0]


def _starts(thread: threading.Thread) -> bool:
    """Starts a thread; False where there is no memory for one more, as under a tight ``ulimit -v``."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True


def _sync(waiting: deque[Path], failed: list[OSError]) -> None:
    while not failed:
        try:
            path = waiting.popleft()
        except IndexError:
            return
        try:
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                with suppress(OSError):
                    os.close(handle)
        except OSError as error:
            if error.errno not in _CANNOT:
                failed.append(OSError(error.errno, error.strerror, os.fspath(path)))
                return
