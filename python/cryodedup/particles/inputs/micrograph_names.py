"""What programs make of a micrograph's name: CryoSPARC's uid in front, suffixes of processing behind, other spellings of a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_UID = re.compile(r"^(\d{17,21})_(?=.)")
_DATE = re.compile(r"^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
PADDED = 21
"""CryoSPARC pads uids to so many digits; where it does not they have 17 to 20, and those that begin with a date are time stamps."""

_EXTENSION = re.compile(r"\.(?:mrcs?|tiff?|eer|tomostar|gz|bz2|rec|st|ali)$", re.IGNORECASE)
_SUFFIX = re.compile(
    r"(?:_patch_aligned|_rigid_aligned|_motion_corrected|_aligned_mic|_aligned|_doseweighted|_[dD][wW]S?|_noDW|_SumCorr|_frameImage|_PS"
    r"|[_.]frames|_denoised|_[fF]ractions|_EER|_\d+\.\d\dApx)$"
)


def normalised_path(name: str) -> str:
    """A path without CryoSPARC's ``>``, ``./`` and doubled strokes."""
    path = name.removeprefix(">").replace("\\", "/")
    if "//" in path or "./" in path:
        path = "/".join(part for part in re.sub("/+", "/", path).split("/") if part != ".")
    return path


@dataclass(frozen=True)
class Name:
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
    @lru_cache(maxsize=1 << 16)
    def of(cls, name: str) -> Name:
        """Takes a path apart; the same ones stand in several files."""
        base = normalised_path(name).rpartition("/")[2]
        rest, uid = base, None
        while (found := _UID.match(rest)) and (len(found[1]) == PADDED or not _DATE.match(found[1])):
            uid = uid or int(found[1])
            rest = rest[found.end() :]
        return cls(base, _without_suffixes(rest), _without_extensions(rest), uid)

    @property
    def pattern(self) -> str:
        """The stem with a mark for each number: names of one kind have one."""
        return re.sub(r"\d+", "#", self.stem)


def _without_extensions(base: str) -> str:
    while (stripped := _EXTENSION.sub("", base) or base) != base:
        base = stripped
    return base


def _without_suffixes(base: str) -> str:
    while True:
        stripped = _without_extensions(base)
        stripped = _SUFFIX.sub("", stripped) or stripped
        if stripped == base:
            return base
        base = stripped
