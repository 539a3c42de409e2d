"""What there is of memory, disk and processors for this process; what surely does not fit is refused before the work."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryodedup import _core
from cryodedup.errors import InputError
from cryodedup.names import named

PROC = Path("/proc")
UNLIMITED = 1 << 60
"""Version 1 has no word for "no limit": it gives the largest number of whole pages."""


def groups(controller: str, version: int, proc: Path = PROC) -> list[Path]:
    """The directories of a controller's groups that hold this process, from the innermost to the outermost that can be seen.

    A limit of any of them holds. Empty where the system has no such groups, as outside Linux.

    Parameters
    ----------
    controller
        Such as ``cpu`` or ``memory``.
    version
        1 or 2.
    """
    own = _own_group(controller, version, proc)
    found = _mount(controller, version, proc)
    if own is None or found is None:
        return []
    root, mount = found
    # A container may see its own group as the root of what is mounted, or a path that leads out of it.
    within = own.removeprefix(root.rstrip("/")) if own == root or own.startswith(root.rstrip("/") + "/") else own
    inner = mount.joinpath(*(part for part in within.split("/") if part not in ("", "..")))
    path = [inner, *inner.parents]
    return [group for group in path[: path.index(mount) + 1] if group.is_dir()]


def number(path: Path) -> int | None:
    """The number in a file; None if there is no such file, no number or no limit (``max``, -1)."""
    word = _text(path).strip()
    return int(word) if word.isdecimal() and int(word) < UNLIMITED else None


def counts(path: Path) -> dict[str, int]:
    """The lines ``name number`` of a file, such as ``memory.stat`` or ``/proc/meminfo``; empty if there is none."""
    lines = (line.replace(":", " ").split() for line in _text(path).splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}


def _own_group(controller: str, version: int, proc: Path) -> str | None:
    """The path of this process's group, from the root of the hierarchy."""
    for line in _text(proc / "self/cgroup").splitlines():
        _, names, path = [*line.split(":", maxsplit=2), "", ""][:3]
        if names == "" if version == 2 else controller in names.split(","):
            return path
    return None


def _mount(controller: str, version: int, proc: Path) -> tuple[str, Path] | None:
    """Which group is the root of what is mounted, and where it is mounted."""
    for root, mounted, kind, options in _mounts(proc):
        if kind == ("cgroup2" if version == 2 else "cgroup") and (version == 2 or controller in options):
            return root, mounted
    return None


def _mounts(proc: Path) -> Iterator[tuple[str, Path, str, Sequence[str]]]:
    """See proc(5), ``/proc/pid/mountinfo``."""
    for line in _text(proc / "self/mountinfo").splitlines():
        first, _, last = line.partition(" - ")
        words, kind = first.split(), last.split()
        if len(words) >= 5 and len(kind) >= 3:
            yield _plain(words[3]), Path(_plain(words[4])), kind[0], kind[2].split(",")


def _plain(text: str) -> str:
    """Blanks and the like are written as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text("utf-8", "surrogateescape")
    return ""


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
    existing = next((path for path in (directory, *directory.absolute().parents) if path.is_dir()), None)
    if existing is None or not hasattr(os, "statvfs"):
        return None
    try:
        found = os.statvfs(existing)
    except OSError:
        return None
    if not found.f_blocks:  # some network and virtual file systems do not count
        return None
    free = found.f_bfree if os.geteuid() == 0 else found.f_bavail  # some is reserved for the administrator
    return Available(free * found.f_frsize, f"free in {existing}")


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


SLURM = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")
"""What a Slurm job asked for; not every cluster binds its jobs to these processors."""


def processors(environment: Mapping[str, str] = os.environ) -> int:
    """How many processors this process may use, by its binding, the quotas of its control groups, and what Slurm gave its job."""
    return min([_core.available_processors(), *_of_slurm(environment)])


def tell_core() -> None:
    """Makes this number the threads of the core where none is given."""
    _core.set_processors(processors())


def _of_slurm(environment: Mapping[str, str]) -> Iterator[int]:
    for name in SLURM:
        value = environment.get(name, "")
        if value.isdecimal() and int(value):
            yield int(value)
