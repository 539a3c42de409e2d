"""The control groups of this process: what a container or a scheduler allows it, as Linux keeps it in files (cgroup versions 1 and 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

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
    """The number a file begins with; None if there is no such file, no number or no limit (``max``, -1)."""
    return next(iter(numbers(path)), None)


def numbers(path: Path) -> list[int]:
    """The numbers of a file's first line, up to the first word that is none or means "no limit"."""
    found: list[int] = []
    for word in _text(path).split("\n", maxsplit=1)[0].split():
        if not word.isdecimal() or int(word) >= UNLIMITED:
            break
        found.append(int(word))
    return found


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
    for root, place, kind, options in _mounts(proc):
        if kind == ("cgroup2" if version == 2 else "cgroup") and (version == 2 or controller in options):
            return root, place
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
