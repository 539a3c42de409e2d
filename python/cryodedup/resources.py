"""What there is of memory and disk for this process; what surely does not fit is refused before the work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryodedup.control_groups import PROC, UNLIMITED, counts, groups, number
from cryodedup.errors import InputError
from cryodedup.names import named

GB, MB = 1e9, 1e6
_LIMITS = {"RLIMIT_AS": ("VmSize", "ulimit -v"), "RLIMIT_DATA": ("VmData", "ulimit -d")}
"""Limits of a process: what counts towards each of them, and how shells set it."""


@dataclass(frozen=True, order=True)
class Available:
    """Bytes that this process may still take, and what limits them; ``of_addresses``: memory that is only reserved counts, too."""

    size: int
    limit: str
    of_addresses: bool = False

    def __str__(self) -> str:
        return f"{size_words(self.size)} ({self.limit})"


def size_words(size: float) -> str:
    """A size for people, in units of 10^9 or 10^6 bytes: "16.2 GB", "8 MB"."""
    return f"{size / GB:.1f} GB" if size >= GB else f"{max(1, round(size / MB))} MB"


def memory_available(proc: Path = PROC) -> Available | None:
    """The memory that this process may still take; None where the system does not say it, as outside Linux.

    The smallest of what the machine has free, what the process's control groups allow, and its own limits. What the system can free for
    it (files in memory, and pages that it can swap) counts as there: it is rather too much than too little.
    """
    return min([*_of_machine(proc), *_of_groups(proc), *_of_process(proc)], default=None)


def disk_available(directory: Path) -> Available | None:
    """The free space where a directory is or will be; None where the system does not say it."""
    place = next((path for path in (directory, *directory.absolute().parents) if path.is_dir()), None)
    if place is None or not hasattr(os, "statvfs"):
        return None
    try:
        found = os.statvfs(place)
    except OSError:
        return None
    if not found.f_blocks:  # some network and virtual file systems do not count
        return None
    free = found.f_bfree if os.geteuid() == 0 else found.f_bavail  # some is reserved for the administrator
    return Available(free * found.f_frsize, f"free in {place}")


def check_memory(needed: int, what: str, available: Available | None) -> None:
    """Refuses what needs more memory than there is.

    Parameters
    ----------
    needed
        Bytes that the work needs at least.
    what
        The work, for the message.

    Raises
    ------
    InputError
        It does not fit.
    """
    if available is not None and needed > available.size:
        raise InputError(
            kind="resources",
            path=what,
            reason=f"needs at least {size_words(needed)} of memory, found {available}",
            remedy="use a machine with more memory, or give fewer files in each run: particles of different micrographs are independent"
            " of each other",
        )


def check_disk(needed: int, directory: Path, available: Available | None) -> None:
    """Refuses an output that is larger than the space for it; ``needed``: bytes that will be written at least.

    Raises
    ------
    InputError
        It does not fit.
    """
    if available is not None and needed > available.size:
        raise InputError(
            kind="resources",
            path=directory,
            reason=f"at least {size_words(needed)} will be written, found {available}",
            remedy=f"choose another {named('directory')}",
        )


def _of_machine(proc: Path) -> Iterator[Available]:
    found = counts(proc / "meminfo")
    if "MemAvailable" in found:
        yield Available(1024 * (found["MemAvailable"] + found.get("SwapFree", 0)), "free on this machine")


def _of_groups(proc: Path) -> Iterator[Available]:
    names = {1: ("limit_in_bytes", "usage_in_bytes", "total_"), 2: ("max", "current", "")}
    swap = 1024 * counts(proc / "meminfo").get("SwapFree", 0)
    for version, (limit_name, usage_name, prefix) in names.items():
        for group in groups("memory", version, proc):
            limit, used = (number(group / f"memory.{name}") for name in (limit_name, usage_name))
            if limit is None or used is None:
                continue
            stat = counts(group / "memory.stat")
            freed = sum(stat.get(prefix + name, 0) for name in ("active_file", "inactive_file")) + stat.get("slab_reclaimable", 0)
            yield Available(max(0, limit - used + min(freed, used) + swap), f"left of the {size_words(limit)} of the control group {group}")


def _of_process(proc: Path) -> Iterator[Available]:
    try:
        import resource
    except ImportError:  # Windows
        return
    used = counts(proc / "self/status")
    for name, (counted, command) in _LIMITS.items():
        limit = resource.getrlimit(getattr(resource, name))[0]
        if counted in used and 0 <= limit < UNLIMITED:
            yield Available(max(0, limit - 1024 * used[counted]), f"left of the {size_words(limit)} of {command}", of_addresses=True)
