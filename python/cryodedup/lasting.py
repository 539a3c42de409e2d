"""Waiting until files are on the disk: until then a failure of the power loses them, and a file server may still refuse them."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_CANNOT = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EROFS}
"""Some file systems cannot be asked."""
_ASKED_S = 0.1


def make_lasting(paths: Sequence[Path]) -> None:
    """Waits until some files or directories are on the disk; signals act meanwhile.

    Raises
    ------
    OSError
        The system could not write one of them, as a full disk or a file server that is full; it is named.
    """
    failed: list[OSError] = []
    thread = threading.Thread(target=_sync, args=(paths, failed), daemon=True)
    thread.start()
    while thread.is_alive():  # it cannot be interrupted, but this can
        thread.join(_ASKED_S)
    if failed:
        raise failed[0]


def _sync(paths: Sequence[Path], failed: list[OSError]) -> None:
    for path in paths:
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
