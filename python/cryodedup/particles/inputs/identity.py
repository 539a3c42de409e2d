"""Which micrographs of several inputs are the same.

By CryoSPARC's uid where both have one; else by path; else by the name without directories, CryoSPARC's number in front of it and the
suffixes that processing adds. A name that fits two micrographs is refused, not guessed: that is how 3.57 million particles once became
4.76 million.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryodedup.errors import InputError
from cryodedup.particles.inputs.picks import Micrograph

_CRYOSPARC_NUMBER = re.compile(r"^(?:\d{15,21}_)+")
_SUFFIX = re.compile(r"(?:_patch_aligned|_doseweighted|_DW|_[fF]ractions|_EER|\.mrcs?|\.tiff?|\.eer|\.tomostar)$")


def normalised_path(name: str) -> str:
    """A path without CryoSPARC's ``>`` and leading ``./``."""
    path = name.removeprefix(">")
    while path.startswith("./"):
        path = path[2:]
    return path


def normalised_name(name: str) -> str:
    """What different programs call one micrograph: ``>J2/motioncorrected/0130984_x_patch_aligned.mrc`` is ``x``."""
    base = re.split(r"[/\\]", name)[-1]
    base = _CRYOSPARC_NUMBER.sub("", base)
    while stripped := _SUFFIX.sub("", base):
        if stripped == base:
            break
        base = stripped
    return base


@dataclass
class _Known:
    """The micrographs found so far, numbered."""

    names: list[tuple[str, str]] = field(default_factory=list)
    uids: list[int | None] = field(default_factory=list)
    by_uid: dict[int, int] = field(default_factory=dict)
    by_path: dict[str, int] = field(default_factory=dict)
    by_name: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def same(self, micrograph: Micrograph) -> int | None:
        """By uid or path."""
        if micrograph.uid is not None and micrograph.uid in self.by_uid:
            return self.by_uid[micrograph.uid]
        found = self.by_path.get(normalised_path(micrograph.name))
        return found if found is not None and self.may_be(found, micrograph) else None

    def may_be(self, number: int, micrograph: Micrograph) -> bool:
        """Two different uids are two micrographs, whatever their names."""
        return self.uids[number] is None or micrograph.uid is None or self.uids[number] == micrograph.uid

    def add(self, micrograph: Micrograph, label: str, number: int | None = None) -> int:
        """Remembers what a micrograph is called, under its number or a new one."""
        if number is None:
            number = len(self.names)
            self.names.append((micrograph.name, label))
            self.uids.append(micrograph.uid)
        if micrograph.uid is not None:
            self.uids[number] = micrograph.uid
            self.by_uid.setdefault(micrograph.uid, number)
        self.by_path.setdefault(normalised_path(micrograph.name), number)
        numbers = self.by_name[normalised_name(micrograph.name)]
        if number not in numbers:
            numbers.append(number)
        return number


def unify(inputs: Sequence[tuple[str, Sequence[Micrograph]]]) -> tuple[list[list[int]], int]:
    """Numbers the micrographs of all inputs (label, micrographs) from 0; the same ones get the same number.

    Returns
    -------
    For each input the number of each of its micrographs, and how many there are.

    Raises
    ------
    InputError
        A name that fits two micrographs of another input, or two that fit one.
    """
    known = _Known()
    numbers = [_number(known, label, micrographs) for label, micrographs in inputs]
    return numbers, len(known.names)


def _number(known: _Known, label: str, micrographs: Sequence[Micrograph]) -> list[int]:
    certain = [known.same(micrograph) for micrograph in micrographs]
    taken = {number for number in certain if number is not None}
    found = []
    for micrograph, same in zip(micrographs, certain, strict=True):
        number = same
        if number is None:
            fitting = [
                other
                for other in known.by_name.get(normalised_name(micrograph.name), [])
                if other not in taken and known.may_be(other, micrograph)
            ]
            if len(fitting) > 1:
                first, second = (f"{name} of {source}" for name, source in (known.names[other] for other in fitting[:2]))
                raise InputError(
                    f"{label}: micrograph {micrograph.name}: found two candidates by name, {first} and {second}; expected one:"
                    " give the inputs paths or uids that tell them apart"
                )
            if fitting:
                number = fitting[0]
        found.append(number)
    _refuse_merged(known, label, micrographs, found)
    return [known.add(micrograph, label, number) for micrograph, number in zip(micrographs, found, strict=True)]


def _refuse_merged(known: _Known, label: str, micrographs: Sequence[Micrograph], numbers: Sequence[int | None]) -> None:
    """Two micrographs of one input are two, even where both fit one of the other inputs, or these took them for one by name."""
    holders: dict[int, Micrograph] = {}
    for micrograph, number in zip(micrographs, numbers, strict=True):
        if number is None:
            continue
        if number in holders:
            name, source = known.names[number]
            raise InputError(
                f"{label}: found two micrographs that fit {name} of {source} by name, {holders[number].name} and"
                f" {micrograph.name}; expected one: give the inputs paths or uids that tell them apart"
            )
        holders[number] = micrograph
