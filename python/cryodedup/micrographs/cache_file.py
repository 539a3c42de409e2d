"""The file of the prepared micrographs: whether it is ours, and which run uses it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cryodedup import _core
from cryodedup.errors import InputError, InUseError

CACHE = "prepared.cache"


def move_other_file(cache: Path) -> Path | None:
    """Renames a file that is not our cache, since it may be the user's; returns its new path, None if there is no such file."""
    if not cache.exists() or not cache.stat().st_size:
        return None
    if _core.Preparation.is_cache(cache):
        return None
    if cache.name != CACHE:
        raise InputError(
            kind="exists",
            path=cache,
            found="a file of another kind",
            expected="a cache of prepared micrographs, or no file",
            remedy="choose another path",
        )
    moved = cache.with_name(f"{cache.name}.found-{time.time_ns():x}")
    return cache.rename(moved)


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Keeps other runs off the cache if the file system supports locks; by a file of its own, since some cannot read a locked file."""
    if os.path.lexists(cache) and (cache.is_symlink() or not cache.is_file()):
        raise InputError(
            kind="exists",
            path=cache,
            found="a folder, a link or a device",
            expected="a file for the cache of prepared micrographs, or nothing",
            remedy="choose another path",
        )
    path = cache.with_name(cache.name + ".lock")
    try:
        file = _locked(path)
    except BlockingIOError:
        raise InUseError(
            kind="resources",
            path=cache,
            reason="another run uses this file",
            remedy="wait until that run ends, or choose another output directory for this one",
        ) from None
    except OSError as error:
        raise InputError(kind="missing", path=cache, reason=(error.strerror or str(error)).lower()) from error
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _locked(path: Path) -> BinaryIO:
    """Opens a file and locks it.

    Another run may have deleted the file when it ended. A lock on a deleted file protects nothing, so the file is created again.
    """
    while True:
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise
        except OSError:  # this file system has no locks
            return file
        if _is_named(file, path):
            return file
        file.close()


def _is_named(file: BinaryIO, path: Path) -> bool:
    """Whether an open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
