"""Goes through inputs one by one, and gives equal micrographs equal numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from cryodedup.errors import InputError
from cryodedup.particles.inputs.image_extents import image_extent_a, image_file
from cryodedup.particles.inputs.micrograph_names import Name, normalised_path
from cryodedup.particles.inputs.picks import Micrograph

Match = Literal["auto", "path", "name", "uid"]

EXTENT_TOLERANCE = 0.02
"""Binning keeps the extent of a micrograph, but for pixels at its edges."""
MAX_IMAGES = 3
"""So many images of two directories are compared in size: a session has one camera."""


@dataclass(frozen=True)
class Seen:
    """A micrograph of an input."""

    micrograph: Micrograph
    label: str

    @cached_property
    def name(self) -> Name:
        return Name.of(self.micrograph.name)

    @cached_property
    def path(self) -> str:
        return normalised_path(self.micrograph.name)

    @property
    def directory(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def key(self) -> object:
        """Equal for spellings of one micrograph in one input."""
        number = self.micrograph.number
        return (self.path, self.micrograph.uid) if number is None else number

    @property
    def uid(self) -> int | None:
        return self.micrograph.uid or self.name.uid

    def __str__(self) -> str:
        return self.micrograph.file or f"{self.micrograph.name} of {self.label}"


class Matcher:
    """Goes through the inputs one by one, and numbers what is new."""

    def __init__(self, match: Match, directories: Sequence[set[str]]) -> None:
        self.match = match
        self.directories = directories
        self.members: list[list[Seen]] = []
        self.added: list[tuple[Seen, int]] = []
        self.indexed = 0
        self.by_uid: dict[int, int] = {}
        self.by_path: dict[str, int] = {}
        self.by_number: dict[int, int] = {}
        self.by_name: defaultdict[str, list[int]] = defaultdict(list)
        self.numbers: list[list[int]] = []
        self.by_name_only: list[tuple[Seen, Seen]] = []
        self.taken_as_two: list[tuple[Seen, Seen]] = []
        self.images: dict[frozenset[str], list[bool]] = {}
        self.projects: dict[tuple[str, Path, Path], list[bool]] = {}
        self.of_two_projects: list[tuple[Seen, Seen]] = []

    @property
    def count(self) -> int:
        return len(self.members)

    def of_all(self, seen: Sequence[Sequence[Seen]]) -> Matcher:
        """All inputs; the order of inputs decides nothing but the numbers."""
        for micrographs in seen:
            self.numbers.append(self._of_input(micrographs))
        if self.by_name_only:
            self._index()
        for pair in self.by_name_only:
            for one, other in (pair, pair[::-1]):
                self._refuse_doubtful(one, other)
        return self

    def _refuse_doubtful(self, one: Seen, matched: Seen) -> None:
        """A name that a later input gives to another micrograph, too, fits both."""
        numbers = self.by_name.get(one.name.stem, [])
        if len(numbers) < 2:
            return
        own = next(number for number in numbers if one in self.members[number])
        for number in numbers:
            others = self.members[number]
            exact = any(other.name.plain == one.name.plain for other in others) or one.name.plain != matched.name.plain
            of_one_input = any(other.label == one.label for other in others)
            if number != own and exact and not of_one_input and not self._speaks_for_two(number, one):
                raise self._ambiguous(one, matched, others[0])

    def _ambiguous(self, one: Seen, first: Seen, second: Seen) -> InputError:
        return InputError(
            f"{one.label}: micrograph {one.micrograph.name}: found two candidates by name, {first} and {second}; expected one: give the"
            " inputs paths or uids that tell them apart, or --match path"
        )

    def _of_input(self, micrographs: Sequence[Seen]) -> list[int]:
        self._index()
        distinct = list({one.key: one for one in micrographs}.values())
        found = [self._certain(one) for one in distinct]
        taken = {number for number in found if number is not None}
        if self.match in ("auto", "name") and self.members:
            found = [self._by_name(one, taken) if number is None else number for one, number in zip(distinct, found, strict=True)]
        self._refuse_merged(distinct, found)
        number_of = {one.key: self._add(one, number) for one, number in zip(distinct, found, strict=True)}
        return [number_of[one.key] for one in micrographs]

    def _index(self) -> None:
        """Remembers what the micrographs of the inputs before are called."""
        for one, number in self.added[self.indexed :]:
            if one.micrograph.number is not None:
                self.by_number.setdefault(one.micrograph.number, number)
                continue
            if one.uid is not None:
                self.by_uid.setdefault(one.uid, number)
            if one.micrograph.file is None:
                self.by_path.setdefault(one.path, number)
            numbers = self.by_name[one.name.stem]
            if number not in numbers:
                numbers.append(number)
        self.indexed = len(self.added)

    def _certain(self, one: Seen) -> int | None:
        """By number, uid or path."""
        if one.micrograph.number is not None:
            return self.by_number.get(one.micrograph.number)
        if self.match in ("auto", "uid") and one.uid is not None and one.uid in self.by_uid:
            return self.by_uid[one.uid]
        if self.match in ("auto", "path") and one.micrograph.file is None:
            found = self.by_path.get(one.path)
            return found if found is not None and (self.match == "path" or self._is_one_path(found, one)) else None
        return None

    def _is_one_path(self, number: int, one: Seen) -> bool:
        return self._may_be(number, one) and not self._of_another_project(number, one)

    def _of_another_project(self, number: int, one: Seen) -> bool:
        """Whether equal paths lead to images of other extents from two inputs; where they lead to other files, that is noted."""
        other = self.members[number][0]
        key = (one.directory, Path(one.label).parent, Path(other.label).parent)
        if one.path.startswith("/") or key[1] == key[2]:
            return False
        looked = self.projects.setdefault(key, [])
        if len(looked) < MAX_IMAGES and not any(looked):
            files = [image_file(seen.micrograph.name, seen.label) for seen in (one, other)]
            are_two = None not in files and files[0] != files[1]
            looked.append(are_two and _extents_differ(*(image_extent_a(seen.micrograph.name, seen.label) for seen in (one, other))))
            if are_two and not looked[-1]:
                self.of_two_projects.append((one, other))
        return any(looked)

    def _by_name(self, one: Seen, taken: set[int]) -> int | None:
        """By name, unless something speaks for two; what another micrograph of the input is already the same as still makes it doubtful."""
        fitting = [
            number
            for number in self.by_name.get(one.name.stem, [])
            if self.match == "name" or number in taken or not self._speaks_for_two(number, one)
        ]
        exact = [number for number in fitting if any(other.name.plain == one.name.plain for other in self.members[number])]
        fitting = exact or fitting
        free = [number for number in fitting if number not in taken]
        if not free:
            parted = [number for number in self.by_name.get(one.name.stem, []) if number not in taken]
            self.taken_as_two += [(self.members[number][0], one) for number in parted[:1]]
            return None
        if len(fitting) > 1:
            raise self._ambiguous(one, *(self.members[number][0] for number in fitting[:2]))
        self.by_name_only.append((self.members[free[0]][-1], one))
        return free[0]

    def _may_be(self, number: int, one: Seen) -> bool:
        """Not with another uid, nor with another extent."""
        for other in self.members[number]:
            if one.uid is not None and other.uid is not None and one.uid != other.uid:
                return False
            if _extents_differ(one.micrograph.extent_a, other.micrograph.extent_a):
                return False
        return True

    def _known_apart(self, number: int, one: Seen) -> bool:
        """Whether an input has micrographs in both directories."""
        both = [{one.directory, other.directory} for other in self.members[number] if one.directory and other.directory]
        return any(len(pair) > 1 and pair <= directories for pair in both for directories in self.directories)

    def _images_differ(self, number: int, one: Seen) -> bool:
        """Whether images in the directories of two micrographs are of other extents; some of each pair of directories are looked at."""
        other = self.members[number][0]
        key = frozenset((one.directory, other.directory))
        if len(key) < 2 or "" in key:
            return False
        looked = self.images.setdefault(key, [])
        if len(looked) < MAX_IMAGES and not any(looked):
            first, second = (seen.micrograph.extent_a or image_extent_a(seen.micrograph.name, seen.label) for seen in (one, other))
            looked.append(_extents_differ(first, second))
        return any(looked)

    def _speaks_for_two(self, number: int, one: Seen) -> bool:
        """Whether anything says that equal names are of two micrographs."""
        if not self._may_be(number, one) or self._known_apart(number, one):
            return True
        return self._images_differ(number, one) or self._of_another_project(number, one)

    def _refuse_merged(self, micrographs: Sequence[Seen], numbers: Sequence[int | None]) -> None:
        """Two micrographs of one input are two, even where both fit one of the other inputs, or these took them for one by name."""
        holders: dict[int, Seen] = {}
        for one, number in zip(micrographs, numbers, strict=True):
            if number is None:
                continue
            if number in holders:
                raise InputError(
                    f"{one.label}: found two micrographs that fit {self.members[number][0]} by name, {holders[number].micrograph.name} and"
                    f" {one.micrograph.name}; expected one: give the inputs paths or uids that tell them apart, or --match path"
                )
            holders[number] = one

    def _add(self, one: Seen, number: int | None) -> int:
        """Puts a micrograph to those of its number, or gives it a new one."""
        if number is None:
            number = len(self.members)
            self.members.append([])
        self.members[number].append(one)
        self.added.append((one, number))
        return number


def equal_files(first: Seen, second: Seen) -> bool:
    """Whether files of one name stand in different directories."""
    paths = [normalised_path(one.micrograph.file or one.micrograph.name) for one in (first, second)]
    (directory, _, base), (other, _, other_base) = (path.rpartition("/") for path in paths)
    return base == other_base and directory != other and bool(directory) and bool(other)


def _extents_differ(first: tuple[float, float] | None, second: tuple[float, float] | None) -> bool:
    if first is None or second is None:
        return False
    return any(abs(a - b) > EXTENT_TOLERANCE * max(a, b) for a, b in zip(first, second, strict=True))
