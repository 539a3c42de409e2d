"""Which micrographs of several inputs are the same: by uid and path, then by name unless there is evidence that they differ.

All inputs are matched together, so that their order decides nothing but the numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from cryodedup.components import connected_components
from cryodedup.errors import InputError
from cryodedup.params import Match
from cryodedup.particles.inputs.image_extents import image_extent_a, image_file
from cryodedup.particles.inputs.micrograph_names import Name, normalised_path
from cryodedup.particles.inputs.picks import Micrograph

EXTENT_TOLERANCE = 0.02
"""Binning keeps the extent of a micrograph, but for pixels at its edges."""
MAX_IMAGES = 3
"""Number of images of two directories that are compared in size: a session has one camera."""


class Seen:
    """A micrograph of an input, the one with the number ``source``; ``key`` is equal for spellings of one micrograph in one input.

    A plain class: with ``dataclass`` and ``cached_property`` the matching of 200,000 names took ten times as long.
    """

    __slots__ = ("_names", "base", "directory", "key", "label", "micrograph", "path", "source")

    def __init__(self, micrograph: Micrograph, label: str, source: int, names: dict[str, Name]) -> None:
        self.micrograph, self.label, self.source = micrograph, label, source
        self.path = normalised_path(micrograph.name)
        self.directory, _, self.base = self.path.rpartition("/")
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
    """Micrographs that are the same, the inputs that have them, and what is known of them."""

    __slots__ = ("directories", "extents_a", "inputs", "members", "uids")

    def __init__(
        self,
        members: list[Seen],
        inputs: frozenset[int],
        uids: frozenset[int],
        directories: frozenset[str],
        extents_a: frozenset[tuple[float, float]],
    ) -> None:
        self.members, self.inputs, self.uids, self.directories, self.extents_a = members, inputs, uids, directories, extents_a

    @classmethod
    def joined(cls, clusters: Sequence[Cluster]) -> Cluster:
        """One of several."""
        return cls(
            [one for cluster in clusters for one in cluster.members],
            frozenset().union(*[cluster.inputs for cluster in clusters]),
            frozenset().union(*[cluster.uids for cluster in clusters]),
            frozenset().union(*[cluster.directories for cluster in clusters]),
            frozenset().union(*[cluster.extents_a for cluster in clusters]),
        )


def _alone(seen: Iterable[Seen]) -> list[Cluster]:
    """A cluster of each; sets of one value are made once for all that have it."""
    none: frozenset[Any] = frozenset()
    sets: dict[object, frozenset[Any]] = {None: none, "": none}

    def only(value: Any) -> frozenset[Any]:
        found = sets.get(value)
        if found is None:
            found = sets[value] = frozenset((value,))
        return found

    return [
        Cluster(
            [one], only(one.source), none if one.uid is None else frozenset((one.uid,)), only(one.directory), only(one.micrograph.extent_a)
        )
        for one in seen
    ]


class Matcher:
    """Numbers the micrographs of all inputs.

    Attributes
    ----------
    numbers, count
        For each input the number of each of its micrographs, and how many there are.
    by_name_only
        Pairs of what was taken as one by name alone, one for each micrograph; of equal files in different directories if there are such.
    taken_as_two, of_two_projects
        Pairs of equal names that the evidence keeps apart, and of equal paths that lead to different files.
    """

    def __init__(self, match: Match, seen: Sequence[Sequence[Seen]]) -> None:
        self.match = match
        self.directories = [frozenset(one.directory for one in micrographs) for micrographs in seen]
        self.by_name_only: list[tuple[Seen, Seen]] = []
        self.taken_as_two: list[tuple[Seen, Seen]] = []
        self.of_two_projects: list[tuple[Seen, Seen]] = []
        self.images: dict[frozenset[str], list[bool]] = {}
        self.projects: dict[tuple[str, frozenset[Path]], list[bool]] = {}
        self.parents = [Path(micrographs[0].label).parent if micrographs else Path() for micrographs in seen]
        self.known_apart: dict[tuple[frozenset[str], frozenset[str]], bool] = {}
        spelled = [{one.key: one for one in micrographs} for micrographs in seen]
        clusters = self._clusters([one for some in spelled for one in some.values()])
        number_of: list[dict[object, int]] = [{} for _ in seen]
        for number, cluster in enumerate(clusters):
            for one in cluster.members:
                number_of[one.source][one.key] = number
        found = [[of[one.key] for one in micrographs] for of, micrographs in zip(number_of, seen, strict=True)]
        order = {number: i for i, number in enumerate(dict.fromkeys(number for some in found for number in some))}
        self.numbers = [[order[number] for number in some] for some in found]
        self.count = len(clusters)

    def _clusters(self, seen: Sequence[Seen]) -> list[Cluster]:
        if len(self.directories) < 2:
            none: frozenset[Any] = frozenset()
            return [Cluster([one], none, none, none, none) for one in seen]
        clusters = _alone(seen)
        numbered = [cluster for cluster in clusters if cluster.members[0].micrograph.number is not None]
        if numbered:
            return _joined(numbered, lambda cluster: cluster.members[0].micrograph.number)
        if self.match in ("auto", "uid"):
            clusters = _joined(clusters, lambda cluster: cluster.members[0].uid)
        if self.match in ("auto", "path"):
            clusters = self._agreeing(clusters, _paths, self._may_be_one_path if self.match == "auto" else lambda one, other: True)
        if self.match in ("auto", "name"):
            plain = self._agreeing(clusters, lambda cluster: [one.name.plain for one in cluster.members], self._may_be, by_name=True)
            self.taken_as_two.clear()  # what is still two is found again by stems
            clusters = self._agreeing(plain, lambda cluster: [one.name.stem for one in cluster.members], self._may_be, by_name=True)
        return clusters

    def _agreeing(
        self,
        clusters: Sequence[Cluster],
        keys: Callable[[Cluster], Iterable[str]],
        may_be: Callable[[Cluster, Cluster], bool],
        *,
        by_name: bool = False,
    ) -> list[Cluster]:
        """Joins clusters of one key that may all be one; refuses one that may be either of two that are not."""
        by_key: defaultdict[str, list[int]] = defaultdict(list)
        for i, cluster in enumerate(clusters):
            for key in keys(cluster) if len(cluster.members) == 1 else dict.fromkeys(keys(cluster)):
                by_key[key].append(i)
        links: list[tuple[int, int]] = []
        for rivals in by_key.values():
            if len(rivals) > 1:
                links += self._links(clusters, rivals, may_be, by_name=by_name)
        return _linked(clusters, links, checked=True)

    def _links(
        self, clusters: Sequence[Cluster], rivals: Sequence[int], may_be: Callable[[Cluster, Cluster], bool], *, by_name: bool
    ) -> list[tuple[int, int]]:
        links = []
        for k, i in enumerate(rivals):
            for j in rivals[:k]:
                one, other = clusters[i], clusters[j]
                if not one.inputs.isdisjoint(other.inputs):
                    continue
                if may_be(one, other):
                    links.append((j, i))
                elif by_name and not (one.uids and other.uids):
                    self.taken_as_two.append((other.members[0], one.members[0]))
        everyone = len(links) == len(rivals) * (len(rivals) - 1) // 2
        for j, i in links:
            for k in [] if everyone else rivals:
                if k in (i, j):
                    continue
                for single, own in ((i, j), (j, i)):
                    apart = bool(clusters[k].inputs & clusters[own].inputs) or not may_be(clusters[k], clusters[own])
                    if apart and may_be(clusters[single], clusters[k]) and (by_name or not clusters[single].inputs & clusters[k].inputs):
                        raise _ambiguous(clusters[single], clusters[own], clusters[k])
            if by_name:
                self.by_name_only.append(_example(clusters[j], clusters[i]))
        return links

    def _may_be_one_path(self, one: Cluster, other: Cluster) -> bool:
        return self._fits(one, other) and not self._of_another_project(one.members[0], other.members[0])

    def _may_be(self, one: Cluster, other: Cluster) -> bool:
        """Whether there is no evidence that equal names are of two micrographs."""
        if self.match == "name":
            return True
        if not self._fits(one, other) or self._known_apart(one, other):
            return False
        first, second = one.members[0], other.members[0]
        return not self._images_differ(first, second) and not self._of_another_project(first, second)

    def _fits(self, one: Cluster, other: Cluster) -> bool:
        """Whether neither uids nor extents differ."""
        if one.uids and other.uids and one.uids.isdisjoint(other.uids):
            return False
        return not (one.extents_a and other.extents_a) or not any(
            _extents_differ(first, second) for first in one.extents_a for second in other.extents_a
        )

    def _known_apart(self, one: Cluster, other: Cluster) -> bool:
        """Whether an input has micrographs in the directories of both."""
        key = (one.directories, other.directories)
        if key not in self.known_apart:
            pairs = [{first, second} for first in one.directories for second in other.directories if first != second]
            self.known_apart[key] = any(pair <= directories for pair in pairs for directories in self.directories)
        return self.known_apart[key]

    def _images_differ(self, one: Seen, other: Seen) -> bool:
        """Whether images in the directories of two micrographs differ in extent; some of each pair of directories are compared."""
        if one.directory == other.directory or not one.directory or not other.directory:
            return False
        key = frozenset((one.directory, other.directory))
        looked = self.images.setdefault(key, [])
        if len(looked) < MAX_IMAGES and not any(looked):
            looked.append(_extents_differ(*(seen.micrograph.extent_a or _extent_of(seen) for seen in (one, other))))
        return any(looked)

    def _of_another_project(self, one: Seen, other: Seen) -> bool:
        """Whether equal paths lead from two inputs to images that differ in extent; different files of one extent are noted."""
        if one.path != other.path or one.path.startswith("/"):
            return False
        places = frozenset((self.parents[one.source], self.parents[other.source]))
        if len(places) < 2:
            return False
        looked = self.projects.setdefault((one.directory, places), [])
        if len(looked) < MAX_IMAGES and not any(looked):
            files = [image_file(seen.micrograph.name, seen.label) for seen in (one, other)]
            are_two = None not in files and files[0] != files[1]
            looked.append(are_two and _extents_differ(_extent_of(one), _extent_of(other)))
            if are_two and not looked[-1]:
                self.of_two_projects.append((one, other))
        return any(looked)


def _paths(cluster: Cluster) -> list[str]:
    return [one.path for one in cluster.members if one.micrograph.file is None]


def _joined(clusters: Sequence[Cluster], key: Callable[[Cluster], int | None]) -> list[Cluster]:
    """Joins clusters with equal keys; None is no key."""
    first: dict[int, int] = {}
    links = []
    for i, cluster in enumerate(clusters):
        value = key(cluster)
        if value is not None and first.setdefault(value, i) != i:
            links.append((first[value], i))
    return _linked(clusters, links)


def _linked(clusters: Sequence[Cluster], links: Sequence[tuple[int, int]], *, checked: bool = False) -> list[Cluster]:
    """Joins clusters connected by links, in the order of the first of each. ``checked``: refuses to join two of one input."""
    if not links:
        return list(clusters)
    parts = {members[0]: members for members in connected_components(links)}
    if checked:
        for some in parts.values():
            _check_joined(clusters, some)
    joined = {first: Cluster.joined([clusters[i] for i in some]) for first, some in parts.items()}
    absorbed = {i for some in parts.values() for i in some[1:]}
    return [joined.get(i, cluster) for i, cluster in enumerate(clusters) if i not in absorbed]


def _check_joined(clusters: Sequence[Cluster], parts: Sequence[int]) -> None:
    """Refuses to join two micrographs of one input through different names."""
    if len(parts) < 3:
        return
    of_input: dict[int, int] = {}
    for i in parts:
        for source in clusters[i].inputs:
            rival = of_input.setdefault(source, i)
            if rival != i:
                single = next(k for k in parts if k not in (i, rival))
                raise _ambiguous(clusters[single], clusters[rival], clusters[i])


def _example(one: Cluster, other: Cluster) -> tuple[Seen, Seen]:
    pairs = [(first, second) for first in one.members for second in other.members]
    return next((pair for pair in pairs if equal_files(*pair)), pairs[0])


def _ambiguous(single: Cluster, first: Cluster, second: Cluster) -> InputError:
    """A micrograph that may be either of two which are not one."""
    one, rivals = single.members[0], sorted((first.members[0], second.members[0]), key=lambda seen: (seen.source, seen.path))
    advice = "expected one: give the inputs paths or uids that distinguish them, or run them separately"
    if rivals[0].source == rivals[1].source > one.source:
        names = " and ".join(rival.micrograph.name for rival in rivals)
        return InputError(f"{rivals[0].label}: found two micrographs that fit {one} by name, {names}; {advice}")
    return InputError(f"{one.label}: micrograph {one.micrograph.name}: found two candidates by name, {rivals[0]} and {rivals[1]}; {advice}")


def equal_files(first: Seen, second: Seen) -> bool:
    """Whether images of one name stand in different directories."""
    if first.micrograph.file is not None or second.micrograph.file is not None:
        return False
    return first.base == second.base and first.directory != second.directory and bool(first.directory) and bool(second.directory)


def _extent_of(one: Seen) -> tuple[float, float] | None:
    return image_extent_a(one.micrograph.name, one.label)


def _extents_differ(first: tuple[float, float] | None, second: tuple[float, float] | None) -> bool:
    if first is None or second is None:
        return False
    return any(abs(a - b) > EXTENT_TOLERANCE * max(a, b) for a, b in zip(first, second, strict=True))
