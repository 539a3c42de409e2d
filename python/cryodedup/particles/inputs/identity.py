"""Which micrographs are the same, in one input and in several, and what is said about it.

By CryoSPARC's uid if both have one; else by path; else by the name without directories, without CryoSPARC's uid in front of it and without
the suffixes that processing adds. Two different micrographs may have equal names, for example in two sessions: if there is evidence that
they differ, they are kept apart. A name that fits two micrographs is refused: a guess once turned 3.57 million particles into 4.76 million.
"""

from __future__ import annotations

import gc
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from cryodedup.errors import InputError
from cryodedup.names import named
from cryodedup.params import Match
from cryodedup.particles.inputs.clusters import Seen, equal_files
from cryodedup.particles.inputs.matcher import Coincidence, Directories, Matcher, Measure
from cryodedup.particles.inputs.micrograph_names import Name, pattern_of
from cryodedup.particles.inputs.picks import Micrograph
from cryodedup.text import count

Input = tuple[str, Sequence[Micrograph]]
"""Its label, and its micrographs."""

MAX_COMPARED = 64
"""Number of inputs that are searched for names that were not recognised."""
MAX_NOTED = 6
MAP = named("tomograms")


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


def unify(inputs: Sequence[Input], match: Match = "auto", measure: Measure | None = None) -> Matched:
    """Numbers the micrographs of all inputs.

    Parameters
    ----------
    measure
        Compares the particles in pairs of micrographs whose names leave open whether they are one.

    Raises
    ------
    InputError
        A name that fits two micrographs, or two names that fit one; tomograms numbered in one input and named in another.
    """
    with _without_collector():
        return _unified(inputs, match, measure)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pauses Python's garbage collector: it took half the time, for a million objects without reference cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _unified(inputs: Sequence[Input], match: Match, measure: Measure | None) -> Matched:
    seen = _seen(inputs, match)
    found = Matcher(match, seen)
    measured = {} if measure is None or not found.open else measure(found.open)
    settled = {key: one.are_one for key, one in measured.items() if one.are_one is not None}
    if settled:
        found = Matcher(match, seen, settled)
    if found.refusal is not None:
        raise found.refusal
    return Matched(found.numbers, found.count, *_said(inputs, seen, found, match, measure, measured))


def _said(
    inputs: Sequence[Input],
    seen: Sequence[Sequence[Seen]],
    found: Matcher,
    match: Match,
    measure: Measure | None = None,
    measured: Mapping[Directories, Coincidence] | None = None,
) -> tuple[list[str], list[str]]:
    """Warnings and notes."""
    if match != "auto":
        return _overruled(inputs, found, match, measure), []
    texts = [
        _by_name(found.by_name_only, measured or {}),
        _taken_as_two(found.taken_as_two, measured or {}),
        (_of_two_projects(found.of_two_projects), []),
        _partial_failures(seen, found.numbers),
    ]
    return tuple([text for some in kind for text in some] for kind in zip(*texts, strict=True))  # type: ignore[return-value]


def _seen(inputs: Sequence[Input], match: Match) -> list[list[Seen]]:
    _check_numbers(inputs)
    names: dict[str, Name] = {}
    seen = [[Seen(micrograph, label, i, names) for micrograph in micrographs] for i, (label, micrographs) in enumerate(inputs)]
    without = next((one for micrographs in seen for one in micrographs if match == "uid" and one.uid is None), None)
    if without is not None:
        raise InputError(
            kind="missing",
            path=without.label,
            field=f"micrograph {without.micrograph.name}",
            found="no CryoSPARC uid",
            expected=f"one for {named('match', 'uid')}",
        )
    return seen


def same_as(
    label: str, micrographs: Sequence[Micrograph], other_label: str, others: Sequence[Micrograph], match: Match
) -> tuple[list[list[int]], list[str]]:
    """For each micrograph the indices of the same ones among others, if possible of an equal path, else of an equal name; and warnings."""
    inputs = [(other_label, others), (label, micrographs)]
    seen = _seen(inputs, match)
    found = Matcher(match, seen)
    if found.refusal is not None:
        raise found.refusal
    known: defaultdict[int, list[int]] = defaultdict(list)
    for i, number in enumerate(found.numbers[0]):
        known[number].append(i)
    rows = []
    for one, number in zip(seen[1], found.numbers[1], strict=True):
        candidates = known[number]
        if len(candidates) > 1:
            equal = [i for i in candidates if seen[0][i].path == one.path] or [
                i for i in candidates if seen[0][i].name.plain == one.name.plain
            ]
            candidates = equal or candidates
        rows.append(candidates)
    return rows, _said(inputs, seen, found, match)[0]


def _check_numbers(inputs: Sequence[Input]) -> None:
    """Refuses inputs of which some number tomograms and others name them: they cannot be matched without a list."""
    numbered = next((label for label, micrographs in inputs if any(m.number is not None for m in micrographs)), None)
    by_name = next((label for label, micrographs in inputs if any(m.number is None for m in micrographs)), None)
    if numbered is not None and by_name is not None:
        raise InputError(
            kind="contradiction",
            path=numbered,
            found=f"numbers of tomograms, but names in {by_name}",
            expected="one or the other",
            remedy=f"give {MAP} FILE, with a number and a name in each line",
        )


def _by_name(pairs: Sequence[tuple[Seen, Seen]], measured: Mapping[Directories, Coincidence]) -> tuple[list[str], list[str]]:
    """A warning about equal names in different directories taken as the same, and a note about micrographs that programs renamed."""
    warnings, notes = [], []
    pairs = sorted(pairs, key=lambda pair: (pair[0].source, pair[1].source))
    is_doubtful = [equal_files(*pair) or bool(_evidence(pair, measured)) for pair in pairs]
    doubtful = [pair for pair, yes in zip(pairs, is_doubtful, strict=True) if yes]
    if doubtful:
        first, second = doubtful[0]
        warnings.append(
            f"{count(_micrographs(doubtful), 'micrograph')} with equal names in different directories treated as the same, such as {first}"
            f" and {second}{_evidence(doubtful[0], measured)}; if they are different, use {named('match', 'path')}"
        )
    certain = [pair for pair, yes in zip(pairs, is_doubtful, strict=True) if not yes]
    if certain:
        first, second = certain[0]
        notes.append(f"matched by name: {count(_micrographs(certain), 'micrograph')}, such as {first} and {second}")
    return warnings, notes


def _evidence(pair: tuple[Seen, Seen], measured: Mapping[Directories, Coincidence]) -> str:
    found = _measured(pair, measured)
    return f" ({found.words})" if found is not None else ""


def _measured(pair: tuple[Seen, Seen], measured: Mapping[Directories, Coincidence]) -> Coincidence | None:
    return measured.get(Directories((pair[0].directory, pair[1].directory)))


def _micrographs(pairs: Sequence[tuple[Seen, Seen]]) -> int:
    """How many micrographs there are in these pairs, about: of three inputs each one is in up to three pairs."""
    return max(Counter((first.source, second.source) for first, second in pairs).values())


def _taken_as_two(pairs: Sequence[tuple[Seen, Seen]], measured: Mapping[Directories, Coincidence]) -> tuple[list[str], list[str]]:
    """A note about equal names that the particles show to be of two micrographs; a warning where there is no such evidence."""
    proved = [(found := _measured(pair, measured)) is not None and found.are_one is False for pair in pairs]
    texts: tuple[list[str], list[str]] = ([], [])
    for is_proved, kind in zip((False, True), texts, strict=True):
        some = [pair for pair, yes in zip(pairs, proved, strict=True) if yes == is_proved]
        if some:
            first, second = some[0]
            kind.append(
                f"{count(_micrographs(some), 'micrograph')} with equal names treated as different, such as {first} and"
                f" {second}{_evidence(some[0], measured)}; if they are the same, use {named('match', 'name')}"
            )
    return texts


def _of_two_projects(pairs: Sequence[tuple[Seen, Seen]]) -> list[str]:
    if not pairs:
        return []
    first, second = pairs[0]
    return [
        f"{first.micrograph.name} leads to different files from {first.label} and from {second.label}: equal paths are treated as one"
        " micrograph; if these are two projects, run them separately"
    ]


def _overruled(inputs: Sequence[Input], found: Matcher, match: Match, measure: Measure | None) -> list[str]:
    """A warning that counts the micrographs which an explicit rule joined or separated against the evidence."""
    try:
        usual = _unified(inputs, "auto", measure).numbers
    except InputError as error:
        return [f"{named('match', match)} used; without it: {error.text}"]
    flat = [(chosen, other) for mine, theirs in zip(found.numbers, usual, strict=True) for chosen, other in zip(mine, theirs, strict=True)]
    joined = _split_up([chosen for chosen, _ in flat], [other for _, other in flat])
    parted = _split_up([other for _, other in flat], [chosen for chosen, _ in flat])
    if not joined and not parted:
        return []
    against = [f"{count(joined, 'micrograph')} treated as the same although paths, uids or extents differ"] if joined else []
    against += [f"{count(parted, 'micrograph')} treated as different although uids, paths or names agree"] if parted else []
    return [f"{named('match', match)} overrides the evidence: {' and '.join(against)}"]


def _split_up(numbers: Sequence[int], finer: Sequence[int]) -> int:
    """How many numbers have members with different finer numbers."""
    parts: defaultdict[int, set[int]] = defaultdict(set)
    for number, part in zip(numbers, finer, strict=True):
        parts[number].add(part)
    return sum(len(found) > 1 for found in parts.values())


def _begin_alike(first: Sequence[Seen], second: Sequence[Seen]) -> bool:
    """Whether a name of one is a name of the other with something added at its end, such as an unknown suffix."""
    for some, others in ((first, second), (second, first)):
        stems = {one.name.stem for one in others}
        if any(one.name.stem[: match.start()] in stems for one in some for match in re.finditer(r"[_.-]", one.name.stem)):
            return True
    return False


def _partial_failures(seen: Sequence[Sequence[Seen]], numbers: Sequence[Sequence[int]]) -> tuple[list[str], list[str]]:
    """Warnings and notes about pairs of inputs of which some names are shared and others of the same pattern are not.

    If both inputs have such names, they may be the same; if only one has, the other may just have fewer micrographs.
    """
    warnings, notes = [], []
    of_number = [dict(zip(some, ones, strict=True)) for some, ones in zip(numbers[:MAX_COMPARED], seen, strict=False)]
    pattern = lru_cache(maxsize=None)(pattern_of)
    for i, first in enumerate(seen[:MAX_COMPARED]):
        for j in range(i):
            mine, theirs = of_number[i], of_number[j]
            shared = mine.keys() & theirs.keys()
            if not shared or len(shared) == len(mine) == len(theirs):
                continue
            by_path = all(mine[number].path == theirs[number].path and mine[number].directory for number in shared)
            patterns = {pattern(stem) for number in shared for stem in (mine[number].name.stem, theirs[number].name.stem)}
            rests = [[one for number, one in ours.items() if number not in shared] for ours in (mine, theirs)]
            alone, others = ([one for one in rest if pattern(one.name.stem) in patterns] for rest in rests)
            if _begin_alike(*rests):
                alone, others, by_path = *rests, False
            text = (
                f"{first[0].label} and {seen[j][0].label} share {count(len(shared), 'micrograph')}, such as"
                f" {mine[min(shared)].micrograph.name}"
            )
            only = [f"{len(some):,} only in {some[0].label}, such as {some[0].micrograph.name}" for some in (alone, others) if some]
            if len(only) > 1 and not by_path:
                warnings.append(f"{text}; {' and '.join(only)}: if these are the same micrographs, their names were not recognised")
            elif only and len(seen) <= MAX_NOTED:
                notes.append(f"{text}; {only[0]}")
    return warnings, notes
