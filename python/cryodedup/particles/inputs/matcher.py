"""Which micrographs are the same, in one input and in several: by uid and path, then by name unless there is evidence that they differ.

Equal names are one micrograph if the directories below the job that wrote it are the same as far as both paths give them:
``MotionCorr/job002/Movies/s1/x.mrc``, ``MotionCorr/job050/Movies/s1/x_DW.mrc``, ``/data/Movies/s1/x.tif`` and ``x``. They are two if one
job wrote both, or if their extents differ. In all other cases the names leave it open, and the particles in them decide (``settled``), or
else what is more likely: two if an input lists both directories or if CryoSPARC gave them two uids, else one.

All inputs are matched together, so that their order decides nothing but the numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from cryodedup.components import connected_components
from cryodedup.errors import InputError
from cryodedup.params import Match
from cryodedup.particles.inputs.clusters import (
    Cluster,
    Seen,
    example_of,
    extents_differ,
    image_extent_a,
    image_file,
    joined_by,
    linked,
    uids_differ,
)
from cryodedup.particles.inputs.micrograph_names import Directory

MAX_IMAGES = 3
"""So many micrographs of a directory are looked for, until there is an image of one."""

Directories = frozenset[str]
"""The two directories (or one) of two micrographs of equal names."""
Relation = Literal["same", "two", "open, same", "open, two"]


@dataclass(frozen=True)
class Coincidence:
    """Whether micrographs of equal names are one by the particles in them, None if these are too few; and the figures, for people."""

    are_one: bool | None
    words: str


Measure = Callable[[Mapping[Directories, Sequence[tuple[Cluster, Cluster]]]], Mapping[Directories, Coincidence]]
"""Compares the particles in pairs of clusters of micrographs, by the directories of these."""


class Matcher:
    """Numbers the micrographs of all inputs.

    Attributes
    ----------
    numbers, count
        For each input the number of each of its micrographs, and how many there are.
    open
        Pairs of clusters of equal names that names, uids and extents leave open, by their directories.
    by_name_only
        Pairs of what was taken as one by name alone, one for each micrograph; of equal files in different directories if there are such.
    taken_as_two, of_two_projects
        Pairs of equal names that the evidence keeps apart, and of equal paths that lead to different files.
    refusal
        A micrograph that may be either of two others.
    """

    def __init__(self, match: Match, seen: Sequence[Sequence[Seen]], settled: Mapping[Directories, bool] | None = None) -> None:
        self.match, self.settled = match, settled or {}
        self.listed = [frozenset(one.directory for one in micrographs) for micrographs in seen]
        self.open: defaultdict[Directories, list[tuple[Cluster, Cluster]]] = defaultdict(list)
        self.by_name_only: list[tuple[Seen, Seen]] = []
        self.taken_as_two: list[tuple[Seen, Seen]] = []
        self.of_two_projects: list[tuple[Seen, Seen]] = []
        self.refusal: InputError | None = None
        self.images: dict[tuple[str, Path], list[tuple[float, float] | None]] = {}
        self.projects: set[tuple[str, frozenset[Path]]] = set()
        self.parents = [Path(micrographs[0].label).parent if micrographs else Path() for micrographs in seen]
        self.projects_of = [self.parents.index(parent) for parent in self.parents]
        self.directories: dict[str, Directory] = {}
        self.by_directories: dict[tuple[Directories, Directories], set[Relation]] = {}
        first_of: dict[object, Seen] = {}
        firsts = []
        for micrographs in seen:
            spelled: dict[object, Seen] = {}
            firsts.append([spelled.setdefault(one.key, first_of.setdefault(self._spelling(one), one)) for one in micrographs])
        self.sources: dict[Seen, set[int]] = {one: {one.source} for one in first_of.values()}
        for source, some in enumerate(firsts):
            for one in some:
                if one.source != source:
                    self.sources[one].add(source)
        clusters = self._clusters(list(first_of.values()))
        number_of = {one: number for number, cluster in enumerate(clusters) for one in cluster.members}
        found = [[number_of[one] for one in some] for some in firsts]
        order = {number: i for i, number in enumerate(dict.fromkeys(number for some in found for number in some))}
        self.numbers = [[order[number] for number in some] for some in found]
        self.count = len(clusters)

    def _spelling(self, one: Seen) -> object:
        """Returns what is equal for one micrograph in inputs of one project that say the same of it; and in one input for one spelling."""
        micrograph = one.micrograph
        if micrograph.number is not None or micrograph.file is not None:
            return one.source, one.key
        return one.path, micrograph.uid, micrograph.extent_a, self.projects_of[one.source]

    def _clusters(self, seen: Sequence[Seen]) -> list[Cluster]:
        clusters = self._alone(seen)
        numbered = [cluster for cluster in clusters if cluster.members[0].micrograph.number is not None]
        if numbered:
            return joined_by(numbered, lambda cluster: cluster.members[0].micrograph.number)
        if self.match in ("auto", "uid"):
            clusters = joined_by(clusters, lambda cluster: cluster.members[0].uid)
        if self.match == "path":
            return joined_by(clusters, lambda cluster: next(iter(_paths(cluster)), None))
        if self.match == "name":
            return self._agreeing(clusters, _stems, lambda one, other: "same", by_name=True)
        if self.match == "auto":
            clusters = self._agreeing(clusters, _paths, self._relation_of_paths)
            clusters = joined_by(clusters, self._of_equal_tails, self.by_name_only)
            clusters = self._agreeing(clusters, _stems, self._relation_of_names, by_name=True)
        return clusters

    def _alone(self, seen: Iterable[Seen]) -> list[Cluster]:
        """A cluster of each; sets of one value are made once for all that have it."""
        none: frozenset[Any] = frozenset()
        sets: dict[object, frozenset[Any]] = {None: none}

        def only(value: Any) -> frozenset[Any]:
            found = sets.get(value)
            if found is None:
                found = sets[value] = frozenset((value,))
            return found

        return [
            Cluster([one], none if one.uid is None else frozenset((one.uid,)), only(one.directory), only(self._extent_a(one)))
            for one in seen
        ]

    def _extent_a(self, one: Seen) -> tuple[float, float] | None:
        """The extent that the input gives, else that of the first image in the directory: a session has one camera."""
        if one.micrograph.extent_a is not None or not one.directory or self.match != "auto":
            return one.micrograph.extent_a
        looked = self.images.setdefault((one.directory, self.parents[one.source]), [])
        if len(looked) < MAX_IMAGES and not any(looked):
            looked.append(image_extent_a(one.micrograph.name, one.label))
        return looked[-1]

    def _of_equal_tails(self, cluster: Cluster) -> object:
        """Returns what the same micrographs of many jobs have in common."""
        if len(cluster.directories) > 1:
            return None
        one = cluster.members[0]
        parts = self._directory(one.directory)
        return parts.root, parts.tail, one.name.stem, cluster.uids, cluster.extents_a

    def _agreeing(
        self,
        clusters: Sequence[Cluster],
        keys: Callable[[Cluster], Sequence[str]],
        relation: Callable[[Cluster, Cluster], Relation],
        *,
        by_name: bool = False,
    ) -> list[Cluster]:
        """Joins clusters of one key that may all be one; refuses one that may be either of two that are not."""
        by_key: defaultdict[str, list[int]] = defaultdict(list)
        several: list[int] = []
        for i, cluster in enumerate(clusters):
            mine = keys(cluster) if len(cluster.members) == 1 else list(dict.fromkeys(keys(cluster)))
            for key in mine:
                by_key[key].append(i)
            if len(mine) > 1:
                several.append(i)
        links: list[tuple[int, int]] = []
        for rivals in by_key.values():
            if len(rivals) > 1:
                links += self._links(clusters, rivals, relation, by_name=by_name)
        if several:
            self._refuse_met(clusters, links, several, keys)
        return linked(clusters, links)

    def _refuse_met(
        self,
        clusters: Sequence[Cluster],
        links: Sequence[tuple[int, int]],
        several: Sequence[int],
        keys: Callable[[Cluster], Sequence[str]],
    ) -> None:
        """Refuses micrographs of one input and of different keys that a third with several keys would join."""
        linked: defaultdict[int, list[int]] = defaultdict(list)
        for i, j in links:
            linked[i].append(j)
            linked[j].append(i)
        for k in several:
            for i, j in combinations(linked[k], 2):
                of_one_input = not self._sources(clusters[i]).isdisjoint(self._sources(clusters[j]))
                if of_one_input and set(keys(clusters[i])).isdisjoint(keys(clusters[j])):
                    self.refusal = self.refusal or _ambiguous(clusters, [(i, k), (k, j)], [(i, j)])

    def _sources(self, cluster: Cluster) -> set[int]:
        return set().union(*(self.sources[one] for one in cluster.members))

    def _links(
        self, clusters: Sequence[Cluster], rivals: Sequence[int], relation: Callable[[Cluster, Cluster], Relation], *, by_name: bool
    ) -> list[tuple[int, int]]:
        links, apart = [], []
        for k, i in enumerate(rivals):
            for j in rivals[:k]:
                one, other = clusters[j], clusters[i]
                found = relation(one, other)
                if found.startswith("open"):
                    key = Directories((one.members[0].directory, other.members[0].directory))
                    self.open[key].append((one, other))
                    found = "same" if self.settled.get(key, found.endswith("same")) else "open, two"
                if found == "same":
                    links.append((j, i))
                    if by_name:
                        self.by_name_only.append(example_of(one, other))
                else:
                    apart.append((j, i))
                    if by_name and found == "open, two":
                        self.taken_as_two.append((one.members[0], other.members[0]))
        if links and apart and self.refusal is None:
            self.refusal = _ambiguous(clusters, links, apart)
        return links

    def _relation_of_paths(self, one: Cluster, other: Cluster) -> Relation:
        if extents_differ(one, other):
            return "two"
        self._note_two_projects(one.members[0], other.members[0])
        return "open, two" if uids_differ(one, other) else "same"

    def _relation_of_names(self, one: Cluster, other: Cluster) -> Relation:
        """Whether equal names are of one micrograph."""
        key = one.directories, other.directories
        relations = self.by_directories.get(key)
        if relations is None:
            relations = self.by_directories[key] = {self._of_directories(a, b) for a in key[0] for b in key[1]}
        if "two" in relations or extents_differ(one, other):
            return "two"
        if uids_differ(one, other):
            of_one_job = {self._directory(a).job for a in key[0]} & {self._directory(b).job for b in key[1]} - {""}
            return "two" if of_one_job else "open, two"
        return "same" if "same" in relations else "open, two" if "open, two" in relations else "open, same"

    def _of_directories(self, first: str, second: str) -> Relation:
        likely: Relation = "open, two" if any({first, second} <= listed for listed in self.listed) else "open, same"
        return self._directory(first).relation(self._directory(second)) or likely

    def _directory(self, directory: str) -> Directory:
        found = self.directories.get(directory)
        if found is None:
            found = self.directories[directory] = Directory.of(directory)
        return found

    def _note_two_projects(self, one: Seen, other: Seen) -> None:
        """Notes an equal path that leads from two inputs to different files; once for each directory."""
        projects = frozenset((self.parents[one.source], self.parents[other.source]))
        if len(projects) < 2 or one.path.startswith("/") or (one.directory, projects) in self.projects:
            return
        self.projects.add((one.directory, projects))
        files = [image_file(seen.micrograph.name, seen.label) for seen in (one, other)]
        if None not in files and files[0] != files[1]:
            self.of_two_projects.append((one, other))


def _paths(cluster: Cluster) -> list[str]:
    return [one.path for one in cluster.members if one.micrograph.file is None]


def _stems(cluster: Cluster) -> list[str]:
    return [one.name.stem for one in cluster.members]


def _ambiguous(clusters: Sequence[Cluster], links: Sequence[tuple[int, int]], apart: Sequence[tuple[int, int]]) -> InputError | None:
    """A micrograph that may be either of two which are not one."""
    part_of = {i: number for number, part in enumerate(connected_components(links)) for i in part}
    found = next(((i, j) for i, j in apart if i in part_of and part_of[i] == part_of.get(j)), None)
    if found is None:
        return None
    between = [i for i, number in part_of.items() if number == part_of[found[0]] and i not in found]
    one = clusters[between[0]].members[0]
    rivals = sorted((clusters[i].members[0] for i in found), key=lambda seen: (seen.source, seen.path))
    advice = "expected one: give the inputs paths or uids that distinguish them, or run them separately"
    if rivals[0].source == rivals[1].source > one.source:
        names = " and ".join(rival.micrograph.name for rival in rivals)
        return InputError(kind="ambiguous", path=rivals[0].label, found=f"two micrographs that fit {one} by name, {names}", remedy=advice)
    return InputError(
        kind="ambiguous",
        path=one.label,
        field=f"micrograph {one.micrograph.name}",
        found=f"two candidates by name, {rivals[0]} and {rivals[1]}",
        remedy=advice,
    )
