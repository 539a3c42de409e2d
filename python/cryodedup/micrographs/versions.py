"""Versions of one exposure: copies, dose-weighted and unweighted sums, halves of its movie. Only one of each family is compared.

Evidence, from the cheapest to the most expensive:

* names given by processing: the same folder and the same name except for suffixes of motion correction (``_DW``, ``_noDW``, ``_EVN``, ...);
  Warp's folders ``even`` and ``odd`` count as the folder above them. The images must share some noise, unless they are the two halves;
* equal pixels: all reduced pixels are equal. It is the same file if size, beginning and end of the files are equal, too;
* equal names in several folders, and the same noise. Two exposures of one area share the specimen; only versions of one exposure share the
  electrons. Names that identify an acquisition (EPU's hole, shot and time; CryoSPARC's uid) need hardly any common noise. An equal frame
  number in two folders is no evidence by itself.

If motion correction shifted a version by a few pixels, the noise differs at zero shift; :func:`at_one_place` recognises it once the pair is
found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cryodedup import _core
from cryodedup.components import connected_components
from cryodedup.micrographs.acquisition import identifies
from cryodedup.micrographs.compare import Pair
from cryodedup.micrographs.version_names import Marks, marks_of
from cryodedup.text import count

SAME_NOISE = 0.5
"""Correlation of the differences of neighbouring pixels above which two frames show the same electrons, after subtracting the correlation
with an unrelated frame, which shares only the camera's pattern. On simulated frames at bins of 1 to 8 pixels: 0.70 to 0.89 for a sum and
one of its halves, 0.78 to 1.00 for dose-weighted and unweighted sums, 0.01 to 0.3 for another exposure of the area at zero shift, and 0.6
for that where hardly any noise is left (bins of 26 Å)."""
NOT_UNRELATED = 0.1
"""The same where names already indicate versions: refuses only simulated or renamed sessions, and images of something else."""
CROP, CLIP = 160, 3.0
"""Side of the compared square in the middle, in pixels; limit at which differences are clipped, in standard deviations."""
STILL_REDUCED_PX, SAME_NCC = 4, 0.7
"""Largest shift, in reduced pixels, and smallest ncc of two versions that were found as a pair."""
_ENDS = 1 << 16


class Header(Protocol):
    """Header of an image file of any format: path, columns, rows, and size in bytes."""

    @property
    def path(self) -> Path: ...
    @property
    def nx(self) -> int: ...
    @property
    def ny(self) -> int: ...
    @property
    def size(self) -> int: ...


@dataclass(frozen=True)
class Version:
    """A further version of an exposure, of which ``kept`` is compared; indices are those of the input.

    ``kind``: ``same file``, ``equal pixels``, ``even half``, ``odd half``, ``not dose-weighted`` or ``same exposure``.
    """

    kept: int
    version: int
    kind: str


def find_versions(
    images: Mapping[int, Header], records: Mapping[int, _core.Record], rank: Sequence[int]
) -> tuple[list[Version], list[tuple[int, int]]]:
    """The versions among the micrographs that were read, in input order, and pairs that are not versions although their names suggest it.

    Parameters
    ----------
    images, records
        Headers, and records in the cache, by index.
    rank
        Rank of each micrograph in the order of ``--keep``. Of a family, a whole movie is kept before a half, a dose-weighted sum before an
        unweighted one, a larger image before a smaller one, and then the one of lowest rank.
    """
    several = sorted(records, key=rank.__getitem__)  # the result does not depend on the order of the input
    marks = {i: marks_of(images[i].path) for i in several}
    worth = {i: (marks[i].half != "", marks[i].weighting, -images[i].nx * images[i].ny, rank[i]) for i in several}
    equal = _equal_pixels(several, records)
    named, refused = _named(several, marks, records)
    same = named + equal + _equal_names(several, marks, records)
    content = {i: k for k, members in enumerate(connected_components(equal)) for i in members}

    def kind(kept: int, version: int) -> str:
        if kept in content and content[kept] == content.get(version):
            return _copy(images[kept], images[version])
        return _kind(marks[kept], marks[version])

    return _families(same, worth, kind), refused


def not_versions(names: Sequence[str], refused: Sequence[tuple[int, int]]) -> list[str]:
    """A warning about pairs whose names suggest versions of one exposure, but which are not."""
    if not refused:
        return []
    first, second = (names[i] for i in refused[0])
    others = f" (as do those of {count(len(refused) - 1, 'more pair')})" if len(refused) > 1 else ""
    return [
        f"the names of {first} and {second} look like versions of one exposure{others}, but the images share no noise: both are compared"
    ]


def at_one_place(pairs: Iterable[Pair], paths: Sequence[Path], rank: Sequence[int], bin: int) -> list[Version]:
    """Versions that only the comparison can recognise: pairs of equal names in two folders, at nearly zero shift.

    Parameters
    ----------
    pairs
        The pairs found. The caller drops all pairs of a version.
    bin
        ``--bin``: pixels of the micrograph per reduced pixel.
    """
    still = [pair for pair in pairs if max(map(abs, pair.shift_px)) <= STILL_REDUCED_PX * bin and pair.ncc >= SAME_NCC]
    marks = {i: marks_of(paths[i]) for pair in still for i in (pair.first, pair.second)}
    worth = {i: (one.half != "", one.weighting, rank[i]) for i, one in marks.items()}
    same = [(pair.first, pair.second) for pair in still if marks[pair.first].stem == marks[pair.second].stem]
    return _families(same, worth, lambda kept, version: _kind(marks[kept], marks[version]))


def joined(before: Sequence[Version], later: Sequence[Version]) -> list[Version]:
    """All versions, after some micrographs that were kept before turned out to be versions themselves."""
    kept = {one.version: one.kept for one in later}
    return sorted([*(replace(one, kept=kept.get(one.kept, one.kept)) for one in before), *later], key=lambda one: one.version)


def without_versions(order: Iterable[int], versions: Iterable[Version]) -> list[int]:
    """The order without the versions: one micrograph of each exposure."""
    others = {one.version for one in versions}
    return [i for i in order if i not in others]


def _families(same: Iterable[tuple[int, int]], worth: Mapping[int, tuple[object, ...]], kind: Callable[[int, int], str]) -> list[Version]:
    """The versions of each family connected by ``same``; the member with the smallest ``worth`` is kept."""
    versions = []
    for family in connected_components(same):
        kept = min(family, key=worth.__getitem__)
        versions += [Version(kept, i, kind(kept, i)) for i in family if i != kept]
    return sorted(versions, key=lambda one: one.version)


def _kind(kept: Marks, version: Marks) -> str:
    if version.half:
        return f"{version.half} half"
    return "not dose-weighted" if version.weighting > kept.weighting else "same exposure"


def _of_equal(several: Iterable[int], key: Callable[[int], object]) -> list[tuple[int, int]]:
    """Pairs of the first of each class of equal keys with each other member."""
    return [(members[0], i) for members in _classes(several, key) for i in members[1:]]


def _classes(several: Iterable[int], key: Callable[[int], object]) -> list[list[int]]:
    """Classes of equal keys with at least two members."""
    classes: dict[object, list[int]] = defaultdict(list)
    for i in several:
        classes[key(i)].append(i)
    return [members for members in classes.values() if len(members) > 1]


def _equal_pixels(several: Sequence[int], records: Mapping[int, _core.Record]) -> list[tuple[int, int]]:
    candidates = _classes(several, lambda i: _content(records[i]))
    return [pair for members in candidates for pair in _of_equal(members, lambda i: _core.read_pixels(records[i]).tobytes())]


def _copy(first: Header, second: Header) -> str:
    """The kind of two images whose reduced pixels are all equal: whether their files are equal, too."""
    return "same file" if first.size == second.size and _ends(first.path) == _ends(second.path) else "equal pixels"


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(_ENDS)
        file.seek(max(0, path.stat().st_size - _ENDS))
        return start + file.read(_ENDS)


def _named(
    several: Sequence[int], marks: Mapping[int, Marks], records: Mapping[int, _core.Record]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Versions by the suffixes of names in one folder, and such pairs whose noise shows that they are two exposures."""
    same: list[tuple[int, int]] = []
    refused: list[tuple[int, int]] = []
    for first, i in _of_equal(several, lambda i: (marks[i].folder, marks[i].name)):
        halves = marks[first].half and marks[i].half and marks[first].half != marks[i].half
        comparable = _size(records[first]) == _size(records[i])
        alike = halves or not comparable or _common_noise(records[first], records[i]) >= NOT_UNRELATED
        (same if alike else refused).append((first, i))
    return same, refused


def _common_noise(first: _core.Record, second: _core.Record) -> float:
    return _correlation(_noise(_middle(first)), _noise(_middle(second)))


def _equal_names(several: Sequence[int], marks: Mapping[int, Marks], records: Mapping[int, _core.Record]) -> list[tuple[int, int]]:
    """Versions among micrographs of equal names in several folders."""
    found: list[tuple[int, int]] = []
    sizes = {i: _size(records[i]) for i in several}
    for members in _classes(several, lambda i: marks[i].stem):
        if len({marks[i].folder for i in members}) == 1:
            continue
        noise = {i: _noise(_middle(records[i])) for i in members}
        first = members[0]
        other = next((i for i in several if marks[i].stem != marks[first].stem and sizes[i] == sizes[first]), None)
        usual = max(0.0, _correlation(noise[first], _noise(_middle(records[other])))) if other is not None else 0.0
        for i, j in combinations(members, 2):
            same = _correlation(noise[i], noise[j]) - usual if sizes[i] == sizes[j] else None
            found += [(i, j)] * _is_same(marks[i], marks[j], same)
    return found


def _is_same(first: Marks, second: Marks, noise: float | None) -> bool:
    """Whether two micrographs of equal stems are versions; ``noise``: correlation of their noise, None for frames of two sizes."""
    if identifies(first.stem) or first.name == second.name != first.stem:  # EPU's hole, shot and time, or CryoSPARC's uid
        return bool(first.half or second.half) or noise is None or noise >= NOT_UNRELATED
    return noise is not None and noise >= SAME_NOISE


def _size(record: _core.Record) -> tuple[int, int]:
    return (record.width, record.height)


def _content(record: _core.Record) -> tuple[float, ...]:
    """A key that is equal for equal pixels."""
    return (record.width, record.height, record.sd, record.mean)


def _middle(record: _core.Record) -> NDArray[np.float64]:
    """The middle of a micrograph, at most :data:`CROP` pixels along each side."""
    x, y = (max(0, (side - CROP) // 2) for side in (record.width, record.height))
    return _core.read_pixels(record, start=y, stop=y + CROP)[:, x : x + CROP]


def _noise(pixels: NDArray[np.float64]) -> NDArray[np.float32]:
    """Clipped differences of neighbouring pixels, normalised to 1: large and bright features count little."""
    differences = np.diff(pixels.astype(np.float32), axis=1)
    differences -= differences.mean()
    limit = CLIP * 1.4826 * float(np.median(np.abs(differences)))
    np.clip(differences, -limit, limit, out=differences)
    norm = float(np.linalg.norm(differences))
    return differences / norm if norm > 0 else differences


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.vdot(first, second))
