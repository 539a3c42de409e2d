"""Directories in which results are written before they are moved into host, and those that killed runs left."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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


OLD = ".old"
"""In it: what the moves take out of the way, to be put back if one of them fails."""
_REPLACED = ".replaced"
"""Its name once all moves are done."""
_NAME = re.compile(r"\.cryodedup-(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]+")
_BEAT_S = 60.0
_SILENT_S = 3600.0
"""A run of another machine is taken for dead if its directory was not touched for so long, by the clock of the file server."""


@contextmanager
def staging_directory(directory: Path) -> Iterator[Path]:
    """A new directory inside another, touched once a minute while it is in use; removed at the end unless :data:`OLD` still holds files."""
    staging = directory / f".cryodedup-{_host()}-{os.getpid()}-{time.monotonic_ns():x}"
    ended = threading.Event()
    try:
        staging.mkdir()
        with suppress(RuntimeError):  # no memory for a thread; a run of an hour is then taken for dead, by other machines
            threading.Thread(target=_beat, args=(staging, ended), daemon=True).start()
        yield staging
    finally:
        ended.set()
        if not _holds_files(staging / OLD):
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Waits until no other run moves its files into a directory, and keeps others waiting; nothing where the file system has no locks."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def abandoned(directory: Path, beside: Path | None = None) -> list[Path]:
    """The staging directories of runs that are dead; ``beside``: that of this run, which was made just now."""
    if not directory.is_dir():
        return []
    found = [(entry, match) for entry in directory.iterdir() if (match := _NAME.fullmatch(entry.name)) and entry.is_dir()]
    now = time.time() if beside is None else beside.stat().st_mtime
    return [entry for entry, match in found if entry != beside and _is_dead(entry, match["host"], int(match["pid"]), now)]


def holds_earlier(staging: Path) -> bool:
    """Whether a run was killed while it moved an earlier result out of the way."""
    return _holds_files(staging / OLD)


def discard(staging: Path) -> None:
    """Removes a staging directory with what :data:`OLD` holds; if this is interrupted, the rest is no earlier result any more."""
    with suppress(OSError):  # there is none
        (staging / OLD).rename(staging / _REPLACED)
    shutil.rmtree(staging, ignore_errors=True)


def _host() -> str:
    """The place where a process number means what it means here: the machine since its start, and the container.

    It ends in ``unknown`` where the system has no names for these.
    """
    host = re.sub(r"[^\w.]", "_", socket.gethostname()) or "unnamed"
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")[:8]
        container = re.sub(r"\D", "", os.readlink("/proc/self/ns/pid"))  # noqa: PTH115
    except OSError:
        return f"{host}-unknown"
    return f"{host}-{start}-{container}"


def _is_dead(staging: Path, host: str, pid: int, now: float) -> bool:
    if host == _host() and not host.endswith("-unknown"):
        return not _runs(pid)
    try:
        return now - staging.stat().st_mtime > _SILENT_S
    except OSError:  # it has just gone
        return False


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _beat(staging: Path, ended: threading.Event) -> None:
    while not ended.wait(_BEAT_S):
        with suppress(OSError):
            os.utime(staging)


def _holds_files(directory: Path) -> bool:
    """Files that NFS keeps under names of its own, since somebody has them open, are gone already."""
    return any(not path.is_dir() and not path.name.startswith(".nfs") for path in directory.rglob("*"))
