"""How programs change a micrograph's name: CryoSPARC's uid in front, suffixes of processing at the end, other spellings of a path."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_UID = re.compile(r"^(\d{17,21})_(?=.)")
_DATE = re.compile(r"^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
PADDED = 21
"""CryoSPARC pads uids to this many digits. Without padding they have 17 to 20; digits that begin with a date are a time stamp."""

_EXTENSION = re.compile(r"\.(?:mrcs?|tiff?|eer|tomostar|gz|bz2|rec|st|ali)$", re.IGNORECASE)
_SUFFIX = re.compile(
    r"(?:_patch_aligned|_rigid_aligned|_motion_corrected|_aligned_mic|_aligned|_doseweighted|_[dD][wW]S?|_noDW|_SumCorr|_frameImage|_PS"
    r"|[_.]frames|_denoised|_[fF]ractions|_EER|_\d+\.\d\dApx)$"
)

_JOB = re.compile(r"^(?:(.*)/)?([^/]+/job\d{3,}|J\d+/[^/]+|S\d+/motioncorrected)(?:/(.*))?$")
"""A directory into which a job of RELION, of CryoSPARC or a session of CryoSPARC Live writes micrographs."""

_NUMBER = re.compile(r"\d+")
_LAST = frozenset("dcWwSresRx\n")
"""The last characters of suffixes: most names end in a digit, and searching all names for suffixes took half the time of matching."""


def normalised_path(name: str) -> str:
    """A path without CryoSPARC's ``>``, ``./`` and doubled strokes."""
    path = name.removeprefix(">").replace("\\", "/")
    if "//" in path or "./" in path:
        path = "/".join(part for part in re.sub("/+", "/", path).split("/") if part != ".")
    return path


class Name(NamedTuple):
    """The parts of a micrograph's name.

    Attributes
    ----------
    base
        That of the file.
    stem
        The base without uid and suffixes: ``>J2/motioncorrected/013098427457127233138_x_patch_aligned.mrc`` has ``x``.
    plain
        The base without uid and extension only: ``x_patch_aligned``.
    uid
        CryoSPARC's, the first of those in front of the name; None: no uid.
    """

    base: str
    stem: str
    plain: str
    uid: int | None

    @classmethod
    def of(cls, name: str) -> Name:
        """Takes a path apart."""
        base = normalised_path(name).rpartition("/")[2]
        rest, uid = base, None
        while (found := _UID.match(rest)) and (len(found[1]) == PADDED or not _DATE.match(found[1])):
            uid = uid or int(found[1])
            rest = rest[found.end() :]
        plain = _without_extensions(rest)
        return cls(base, _without_suffixes(plain), plain, uid)

    @property
    def pattern(self) -> str:
        """That of its stem."""
        return pattern_of(self.stem)


class Directory(NamedTuple):
    """A directory of micrographs, taken apart: ``/data/p/MotionCorr/job002/Movies/s1`` has the root ``/data/p`` and the tail ``Movies/s1``.

    Jobs of RELION keep the directories of the movies below their own.
    """

    root: str
    job: str
    tail: str

    @classmethod
    def of(cls, directory: str) -> Directory:
        """Takes a directory apart; without a job, all of it is the tail."""
        found = _JOB.match(directory)
        return cls("", "", directory) if found is None else cls(found[1] or "", found[2], found[3] or "")

    def relation(self, other: Directory) -> Literal["same", "two"] | None:
        """Whether equal names in these directories are of one micrograph; None: both may be."""
        if not _end_alike(self.root, other.root):
            return None
        if self.job and self.job == other.job:
            return "same" if self.tail == other.tail else "two"
        return "same" if _end_alike(self.tail, other.tail) else None


def _end_alike(first: str, second: str) -> bool:
    """Whether one path may be a shorter spelling of the other."""
    return not first or not second or first == second or first.endswith(f"/{second}") or second.endswith(f"/{first}")


def pattern_of(stem: str) -> str:
    """A stem with each number replaced by a mark: names of one kind have equal patterns."""
    return _NUMBER.sub("#", stem)


def _without_extensions(base: str) -> str:
    # An extension begins at the last full stop: to search for it from the front takes ten times as long.
    while (at := base.rfind(".")) > 0 and (found := _EXTENSION.match(base, at)):
        base = base[:at] + base[found.end() :]
    return base


def _without_suffixes(base: str) -> str:
    while True:
        stripped = _without_extensions(base)
        if stripped[-1:] in _LAST:
            stripped = _SUFFIX.sub("", stripped) or stripped
        if stripped == base:
            return base
        base = stripped
