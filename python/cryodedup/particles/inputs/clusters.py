"""Micrographs that are the same: clusters, what is known of them, and how they are joined."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from cryodedup.components import connected_components
from cryodedup.errors import InputError
from cryodedup.formats.image_names import is_image
from cryodedup.formats.mrc import open_mrc
from cryodedup.formats.project import is_file
from cryodedup.particles.inputs.micrograph_names import Name, normalised_path
from cryodedup.particles.inputs.picks import Micrograph
from cryodedup.units import extent_a

EXTENT_TOLERANCE = 0.02
"""Binning keeps the extent of a micrograph, but for pixels at its edges."""
CALIBRATION = 0.05
"""Pixel sizes are calibrated anew, by up to this share: extents that differ by one factor, so small, are of one camera."""


class Seen:
    """A micrograph of an input, the one with the number ``source``; ``key`` is equal for spellings of one micrograph in one input.

    A plain class: with ``dataclass`` and ``cached_property`` the matching of 200,000 names took ten times as long.
    """

    __slots__ = ("_names", "base", "directory", "key", "label", "micrograph", "path", "source")

    def __init__(self, micrograph: Micrograph, label: str, source: int, names: dict[str, Name]) -> None:
        self.micrograph, self.label, self.source = micrograph, label, source
        self.path = normalised_path(micrograph.name)
        self.directory, _, self.base = self.path.rpartition("/")
        if micrograph.file is not None:
            self.directory = ""
        self.key: object = (self.path, micrograph.uid) if micrograph.number is None else micrograph.number
        self._names = names  # those taken apart already: several inputs have the same

    @property
    def name(self) -> Name:
        name = self.micrograph.name
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = Name.of(name)
        return found

    @property
    def uid(self) -> int | None:
        return self.micrograph.uid or self.name.uid

    def __str__(self) -> str:
        return self.micrograph.file or f"{self.micrograph.name} of {self.label}"


class Cluster:
    """Micrographs that are the same, and what is known of them."""

    __slots__ = ("directories", "extents_a", "members", "uids")

    def __init__(
        self, members: list[Seen], uids: frozenset[int], directories: frozenset[str], extents_a: frozenset[tuple[float, float]]
    ) -> None:
        self.members, self.uids, self.directories, self.extents_a = members, uids, directories, extents_a

    @classmethod
    def joined(cls, clusters: Sequence[Cluster]) -> Cluster:
        """One of several."""
        return cls(
            [one for cluster in clusters for one in cluster.members],
            frozenset().union(*[cluster.uids for cluster in clusters]),
            frozenset().union(*[cluster.directories for cluster in clusters]),
            frozenset().union(*[cluster.extents_a for cluster in clusters]),
        )


def joined_by(
    clusters: Sequence[Cluster], key: Callable[[Cluster], object], examples: list[tuple[Seen, Seen]] | None = None
) -> list[Cluster]:
    """Joins clusters with equal keys, None is no key; ``examples``: gets a pair for each that is joined."""
    first: dict[object, int] = {}
    links = []
    for i, cluster in enumerate(clusters):
        value = key(cluster)
        if value is not None and first.setdefault(value, i) != i:
            links.append((first[value], i))
    if examples is not None:
        examples += [example_of(clusters[i], clusters[j]) for i, j in links]
    return linked(clusters, links)


def linked(clusters: Sequence[Cluster], links: Sequence[tuple[int, int]]) -> list[Cluster]:
    """Joins clusters connected by links, in the order of the first of each."""
    if not links:
        return list(clusters)
    parts = {members[0]: members for members in connected_components(links)}
    joined = {first: Cluster.joined([clusters[i] for i in some]) for first, some in parts.items()}
    absorbed = {i for some in parts.values() for i in some[1:]}
    return [joined.get(i, cluster) for i, cluster in enumerate(clusters) if i not in absorbed]


def uids_differ(one: Cluster, other: Cluster) -> bool:
    """Whether both have uids, and none in common."""
    return bool(one.uids and other.uids) and one.uids.isdisjoint(other.uids)


def extents_differ(one: Cluster, other: Cluster) -> bool:
    """Whether their images cover areas that binning and a new calibration do not explain."""
    for first in one.extents_a:
        for second in other.extents_a:
            x, y = (a / b for a, b in zip(first, second, strict=True))
            if abs(x - y) > EXTENT_TOLERANCE * max(x, y) or abs(x - 1) > CALIBRATION:
                return True
    return False


def example_of(one: Cluster, other: Cluster) -> tuple[Seen, Seen]:
    """A member of each, by preference two whose files have one name in different directories."""
    pairs = ((first, second) for first in one.members for second in other.members)
    return next((pair for pair in pairs if equal_files(*pair)), (one.members[0], other.members[0]))


def equal_files(first: Seen, second: Seen) -> bool:
    """Whether images of one name stand in different directories, neither of which may be a shorter spelling of the other."""
    if first.micrograph.file is not None or second.micrograph.file is not None or first.base != second.base:
        return False
    return not (first.path.endswith(f"/{second.path}") or second.path.endswith(f"/{first.path}") or first.path == second.path)


UNKNOWN_A = 1.0
"""What programs write that do not know the pixel size."""


@lru_cache(maxsize=4096)
def image_file(name: str, label: str) -> Path | None:
    """The image of a micrograph that an input names: from above the input, else from this directory; None: there is none."""
    path = normalised_path(name)
    if not is_image(Path(path)):
        return None
    try:
        # Nearest first: of two projects with equal names, that of the input is meant, wherever the command is run.
        found = next((base / path for base in (*Path(label).absolute().parents, Path()) if is_file(base / path)), None)
    except (OSError, ValueError):
        return None
    return None if found is None else Path(os.path.realpath(found))


@lru_cache(maxsize=4096)
def image_extent_a(name: str, label: str) -> tuple[float, float] | None:
    """Width and height of a micrograph that an input names, Å; None: there is no MRC file that can be read and gives its pixel size."""
    found = image_file(name, label)
    try:
        header = None if found is None else open_mrc(found)
    except (InputError, OSError, ValueError):
        return None
    if header is None or header.pixel_size_a is None or header.pixel_size_a == UNKNOWN_A:
        return None
    return extent_a((header.nx, header.ny), header.pixel_size_a)
