"""How a micrograph was made from its movie, as far as its name shows.

| program | dose-weighted | unweighted | halves |
|---|---|---|---|
| MotionCor2, MotionCor3 | ``x_DW.mrc``, ``x_DWS.mrc`` | ``x.mrc`` | ``x_EVN.mrc``, ``x_ODD.mrc`` |
| RELION | ``x.mrc`` | ``x_noDW.mrc`` | ``x_EVN.mrc``, ``x_ODD.mrc`` |
| CryoSPARC | ``x_patch_aligned_doseweighted.mrc`` | ``x_patch_aligned.mrc`` | |
| Warp, WarpTools | ``average/x.mrc`` | | ``average/even/x.mrc``, ``average/odd/x.mrc`` |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PACKING = re.compile(r"\.(gz|bz2)$", re.IGNORECASE)
_FORMAT = re.compile(r"\.(mrcs?|tiff?|eer)$", re.IGNORECASE)
_MARK = re.compile(
    r"(?:(?P<even>[_-](?:EVN|even))|(?P<odd>[_-]odd)|(?P<unweighted>[_-]noDW)|(?P<weighted>[_-](?:DWS?|dose_?weighted))"
    r"|_(?:patch|rigid)_aligned|_fractions|_EER)$",
    re.IGNORECASE,
)
_UIDS = re.compile(r"^(?:\d{21}_)+")
_HALVES = {"even": "even", "evn": "even", "odd": "odd"}
WEIGHTED, UNMARKED, UNWEIGHTED = 0, 1, 2


@dataclass(frozen=True)
class Marks:
    """The parts of a name.

    ``folder``: the directory, without the ``even`` or ``odd`` of a half; ``name``: the file name without extension and processing suffixes;
    ``stem``: the same without CryoSPARC's uid in front, unless nothing else is left; ``half``: ``even``, ``odd`` or empty; ``weighting``:
    :data:`WEIGHTED`, :data:`UNMARKED` or :data:`UNWEIGHTED`, the best first.
    """

    folder: str
    name: str
    stem: str
    half: str
    weighting: int


def marks_of(path: Path) -> Marks:
    """Splits the path of a micrograph into its parts.

    Examples
    --------
    >>> marks_of(Path("average/odd/x_noDW.mrc"))
    Marks(folder='average', name='x', stem='x', half='odd', weighting=2)
    """
    name = _FORMAT.sub("", _PACKING.sub("", path.name))
    half, weighting = "", UNMARKED
    while (found := _MARK.search(name)) and found.start():
        half = half or next((side for side in ("even", "odd") if found[side]), "")
        weighting = WEIGHTED if found["weighted"] else UNWEIGHTED if found["unweighted"] else weighting
        name = name[: found.start()]
    folder = path.parent
    if folder.name.lower() in _HALVES:
        half, folder = half or _HALVES[folder.name.lower()], folder.parent
    return Marks(str(folder), name, without_uid(name), half, weighting)


def without_uid(name: str) -> str:
    """A file name without the numbers, as good as random, that CryoSPARC puts in front, unless nothing else is left."""
    return _UIDS.sub("", name) or name
