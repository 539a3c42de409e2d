"""Which micrographs of several inputs are the same.

By CryoSPARC's uid where both have one; else by path; else by the name without directories, CryoSPARC's uid in front of it and the
suffixes that processing adds. Names are equal for two micrographs, too, as in two sessions: where anything speaks for two, they are two. A
name that fits two micrographs is refused, not guessed: that is how 3.57 million particles once became 4.76 million.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from cryodedup.errors import InputError
from cryodedup.particles.inputs.image_extents import image_extent_a
from cryodedup.particles.inputs.micrograph_names import Name, normalised_path
from cryodedup.particles.inputs.picks import Micrograph
from cryodedup.words import count

Match = Literal["auto", "path", "name", "uid"]
Input = tuple[str, Sequence[Micrograph]]
"""Its label, and its micrographs."""

EXTENT_TOLERANCE = 0.02
"""Binning keeps the extent of a micrograph, but for pixels at its edges."""
MAX_COMPARED = 64
"""So many inputs are looked through for names that were not recognised."""
MAX_NOTED = 6
MAX_IMAGES = 3
"""So many images of two directories are compared in size: a session has one camera."""
MAP = "--tomograms"


@dataclass(frozen=True)
class Matched:
    """Which micrographs are the same.

    Attributes
    ----------
    numbers
        For each input the number of each of its micrographs, from 0; the same ones have the same number.
    count
        How many there are.
    """

    numbers: list[list[int]]
    count: int
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Seen:
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
        return f"{self.micrograph.name} of {self.label}"


def unify(inputs: Sequence[Input], match: Match = "auto") -> Matched:
    """Numbers the micrographs of all inputs.

    Raises
    ------
    InputError
        A name that fits two micrographs of another input, or two that fit one; numbers of tomograms beside names of such.
    """
    seen, found = _matched(inputs, match)
    if match == "auto":
        warnings, notes = _partial_failures(seen, found.numbers)
        return Matched(found.numbers, found.count, found.by_name_warnings() + warnings, found.notes() + notes)
    return Matched(found.numbers, found.count, _overruled(inputs, found, match))


def _matched(inputs: Sequence[Input], match: Match) -> tuple[list[list[_Seen]], _Matcher]:
    _check_numbers(inputs)
    seen = [[_Seen(micrograph, label) for micrograph in micrographs] for label, micrographs in inputs]
    without = next((one for micrographs in seen for one in micrographs if match == "uid" and one.uid is None), None)
    if without is not None:
        raise InputError(f"{without.label}: micrograph {without.micrograph.name}: found no CryoSPARC uid, expected one for --match uid")
    return seen, _Matcher(match, [{one.directory for one in micrographs} for micrographs in seen]).of_all(seen)


def same_as(
    label: str, micrographs: Sequence[Micrograph], other_label: str, others: Sequence[Micrograph], match: Match
) -> list[int | None]:
    """For each micrograph the place of the same one among others, None for none."""
    numbers, theirs = _matched([(other_label, others), (label, micrographs)], match)[1].numbers
    place = {number: i for i, number in enumerate(numbers)}
    return [place.get(number) for number in theirs]


def _check_numbers(inputs: Sequence[Input]) -> None:
    """Numbers of tomograms and names of such do not meet by themselves."""
    numbered = next((label for label, micrographs in inputs if any(m.number is not None for m in micrographs)), None)
    named = next((label for label, micrographs in inputs if any(m.number is None for m in micrographs)), None)
    if numbered is not None and named is not None:
        raise InputError(
            f"{numbered}: found numbers of tomograms, but names in {named}: expected one or the other; give {MAP} FILE, with a number and a"
            " name in each line"
        )


class _Matcher:
    """Goes through the inputs one by one, and numbers what is new."""

    def __init__(self, match: Match, directories: Sequence[set[str]]) -> None:
        self.match = match
        self.directories = directories
        self.members: list[list[_Seen]] = []
        self.added: list[tuple[_Seen, int]] = []
        self.indexed = 0
        self.by_uid: dict[int, int] = {}
        self.by_path: dict[str, int] = {}
        self.by_number: dict[int, int] = {}
        self.by_name: defaultdict[str, list[int]] = defaultdict(list)
        self.numbers: list[list[int]] = []
        self.by_name_only: list[tuple[_Seen, _Seen]] = []
        self.images: dict[frozenset[str], list[bool]] = {}

    @property
    def count(self) -> int:
        return len(self.members)

    def of_all(self, seen: Sequence[Sequence[_Seen]]) -> _Matcher:
        for micrographs in seen:
            self.numbers.append(self._of_input(micrographs))
        return self

    def _of_input(self, micrographs: Sequence[_Seen]) -> list[int]:
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
            self.by_path.setdefault(one.path, number)
            numbers = self.by_name[one.name.stem]
            if number not in numbers:
                numbers.append(number)
        self.indexed = len(self.added)

    def _certain(self, one: _Seen) -> int | None:
        """By number, uid or path."""
        if one.micrograph.number is not None:
            return self.by_number.get(one.micrograph.number)
        if self.match in ("auto", "uid") and one.uid is not None and one.uid in self.by_uid:
            return self.by_uid[one.uid]
        if self.match in ("auto", "path"):
            found = self.by_path.get(one.path)
            return found if found is not None and (self.match == "path" or self._may_be(found, one)) else None
        return None

    def _by_name(self, one: _Seen, taken: set[int]) -> int | None:
        """By name, unless something speaks for two; what another micrograph of the input is already the same as still makes it doubtful."""
        fitting = [
            number
            for number in self.by_name.get(one.name.stem, [])
            if self.match == "name"
            or number in taken
            or (self._may_be(number, one) and not self._known_apart(number, one) and not self._images_differ(number, one))
        ]
        exact = [number for number in fitting if any(other.name.plain == one.name.plain for other in self.members[number])]
        fitting = exact or fitting
        free = [number for number in fitting if number not in taken]
        if not free:
            return None
        if len(fitting) > 1:
            first, second = (self.members[number][0] for number in fitting[:2])
            raise InputError(
                f"{one.label}: micrograph {one.micrograph.name}: found two candidates by name, {first} and {second}; expected one: give the"
                " inputs paths or uids that tell them apart, or --match path"
            )
        self.by_name_only.append((self.members[free[0]][-1], one))
        return free[0]

    def _may_be(self, number: int, one: _Seen) -> bool:
        """Not with another uid, nor with another extent."""
        for other in self.members[number]:
            if one.uid is not None and other.uid is not None and one.uid != other.uid:
                return False
            if _extents_differ(one.micrograph.extent_a, other.micrograph.extent_a):
                return False
        return True

    def _known_apart(self, number: int, one: _Seen) -> bool:
        """Whether an input has micrographs in both directories."""
        both = [{one.directory, other.directory} for other in self.members[number] if one.directory and other.directory]
        return any(len(pair) > 1 and pair <= directories for pair in both for directories in self.directories)

    def _images_differ(self, number: int, one: _Seen) -> bool:
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

    def _refuse_merged(self, micrographs: Sequence[_Seen], numbers: Sequence[int | None]) -> None:
        """Two micrographs of one input are two, even where both fit one of the other inputs, or these took them for one by name."""
        holders: dict[int, _Seen] = {}
        for one, number in zip(micrographs, numbers, strict=True):
            if number is None:
                continue
            if number in holders:
                raise InputError(
                    f"{one.label}: found two micrographs that fit {self.members[number][0]} by name, {holders[number].micrograph.name} and"
                    f" {one.micrograph.name}; expected one: give the inputs paths or uids that tell them apart, or --match path"
                )
            holders[number] = one

    def _add(self, one: _Seen, number: int | None) -> int:
        """Puts a micrograph to those of its number, or gives it a new one."""
        if number is None:
            number = len(self.members)
            self.members.append([])
        self.members[number].append(one)
        self.added.append((one, number))
        return number

    def by_name_warnings(self) -> list[str]:
        """A warning where files of equal names in different directories were taken for one."""
        doubtful = [pair for pair in self.by_name_only if _equal_files(*pair)]
        if not doubtful:
            return []
        first, second = doubtful[0]
        return [
            f"{count(len(doubtful), 'micrograph')} of equal names in different directories taken as the same, as {first} and {second}; if"
            " they are two, use --match path"
        ]

    def notes(self) -> list[str]:
        """What was matched by name otherwise, as between programs, which rename micrographs."""
        named = [pair for pair in self.by_name_only if not _equal_files(*pair)]
        if not named:
            return []
        first, second = named[0]
        return [f"matched by name: {count(len(named), 'micrograph')}, as {first} and {second}"]


def _equal_files(first: _Seen, second: _Seen) -> bool:
    directories = {first.directory, second.directory}
    return first.name.base == second.name.base and len(directories) == 2 and "" not in directories


def _extents_differ(first: tuple[float, float] | None, second: tuple[float, float] | None) -> bool:
    if first is None or second is None:
        return False
    return any(abs(a - b) > EXTENT_TOLERANCE * max(a, b) for a, b in zip(first, second, strict=True))


def _overruled(inputs: Sequence[Input], found: _Matcher, match: Match) -> list[str]:
    """A warning that counts what an explicit rule joined or parted otherwise than the evidence."""
    try:
        usual = unify(inputs).numbers
    except InputError as error:
        return [f"--match {match} used; without it: {error}"]
    flat = [(chosen, other) for mine, theirs in zip(found.numbers, usual, strict=True) for chosen, other in zip(mine, theirs, strict=True)]
    joined = _split_up([chosen for chosen, _ in flat], [other for _, other in flat])
    parted = _split_up([other for _, other in flat], [chosen for chosen, _ in flat])
    if not joined and not parted:
        return []
    return [
        f"--match {match} goes before the evidence: {count(joined, 'micrograph')} taken as one though paths, uids or extents speak for two,"
        f" and {parted:,} as two though they speak for one"
    ]


def _split_up(numbers: Sequence[int], finer: Sequence[int]) -> int:
    """How many numbers have members of several finer numbers."""
    parts: defaultdict[int, set[int]] = defaultdict(set)
    for number, part in zip(numbers, finer, strict=True):
        parts[number].add(part)
    return sum(len(found) > 1 for found in parts.values())


def _partial_failures(seen: Sequence[Sequence[_Seen]], numbers: Sequence[Sequence[int]]) -> tuple[list[str], list[str]]:
    """Warnings and notes about pairs of inputs of which some names are shared and others of the same pattern are not.

    Where both inputs have such names they may be the same; where one has, the other may just have fewer micrographs.
    """
    warnings, notes = [], []
    for i, first in enumerate(seen[:MAX_COMPARED]):
        for j in range(i):
            mine, theirs = dict(zip(numbers[i], first, strict=True)), dict(zip(numbers[j], seen[j], strict=True))
            shared = mine.keys() & theirs.keys()
            if not shared:
                continue
            patterns = {one.name.pattern for number in shared for one in (mine[number], theirs[number])}
            alone, others = (
                [one for number, one in ours.items() if number not in shared and one.name.pattern in patterns] for ours in (mine, theirs)
            )
            text = (
                f"{first[0].label} and {seen[j][0].label} share {count(len(shared), 'micrograph')}, as {mine[min(shared)].micrograph.name}"
            )
            only = [f"{len(some):,} only in {some[0].label}, as {some[0].micrograph.name}" for some in (alone, others) if some]
            if len(only) > 1:
                warnings.append(f"{text}; {' and '.join(only)}: if these are the same, their names were not recognised")
            elif only and len(seen) <= MAX_NOTED:
                notes.append(f"{text}; {only[0]}")
    return warnings, notes
